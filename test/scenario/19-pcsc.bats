#!/usr/bin/env bats
# alone: there is one pcscd per machine
# Shows 2: the card in a PC/SC reader. vpcd listens on every interface, so pcsc/inside.bats runs in a network of its own.
load lib

# inside [OPTION OF lab up]: pcsc/inside.bats with such a lab
inside() {
	[ "$(id -u)" -eq 0 ] || skip "only root may make a network namespace"
	command -v pcscd >/dev/null || skip "pcscd is missing: scripts/deps test"
	command -v opensc-tool >/dev/null || skip "opensc-tool is missing: scripts/deps test"
	[ -e /usr/lib/pcsc/drivers/serial/libifdvpcd.so ] || skip "vpcd is missing: scripts/deps test"
	not pgrep -x pcscd || skip "another pcscd runs"
	unshare -n true || skip "no network namespace can be made here"
	# bats puts its insides before itself
	run timeout 200 unshare -n env -i PATH="$(tr : '\n' <<<"$PATH" | grep -v bats | paste -sd :)" HOME="$HOME" KSLOCAL_BIN="$KSLOCAL_BIN" TMPDIR="$BATS_FILE_TMPDIR" CARD_DOES="${1:-}" \
		bats --tap "$ROOT/test/scenario/pcsc/inside.bats"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "Shows 2: pcsc/inside.bats with GBA_ME" {
	inside
}

@test "Shows 2: pcsc/inside.bats with GBA_U" {
	inside --gba-u
}
