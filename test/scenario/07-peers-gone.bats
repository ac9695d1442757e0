#!/usr/bin/env bats
# Peer gone, slow, refusing: what each side says, and that the next establish succeeds by itself. Issue "What bad input gets"
load lib
setup_file() { lab_up; }
teardown_file() { lab_down; }
# one test's failure is not the next one's
setup() { lab_whole; }
# fails CODE [OPTION]…: establish ends with that exit code and a named reason
fails() {
	local want=$1
	shift
	run --separate-stderr ksctl --json extdevd establish "$@"
	[ "$status" -eq "$want" ] || { echo "exit $status, not $want: $output $stderr"; return 1; }
	jq -e '.error.reason | strings' <<<"$output" >/dev/null || { echo "no reason: $output"; return 1; }
}

@test "BSF down before the bootstrapping: refused with a reason; the next establish succeeds" {
	lab stop bsfd
	fails 3 --new
	lab start bsfd
	establish --new
	[ "$scenario" = 1 ]
	three_agree
}

@test "N6: BSF down between the MT's derivation and the key request: the request stays pending, the next establish succeeds" {
	establish --new
	old=$btid
	ksctl extdevd key forget --all
	lab restart nafkcd		# its cache of Ks_(ext)_NAF is gone
	lab stop bsfd
	run --separate-stderr ksctl --json extdevd establish
	[ "$status" -ne 0 ]
	lab start bsfd
	establish
	[ "$btid" = "$old" ]
	three_agree
}

@test "NAF Key Center down: unreachable, then by itself" {
	lab stop nafkcd
	run --separate-stderr ksctl --json extdevd establish --new
	[ "$status" -ne 0 ]
	[[ $output == *'"reason"'* ]]
	lab start nafkcd
	establish
	three_agree
}

@test "MT down: exit 3 or 4 with a reason; back again: establish succeeds" {
	lab stop mtd
	run --separate-stderr ksctl --json extdevd establish --new
	[ "$status" -eq 3 ] || [ "$status" -eq 4 ]
	[[ $output == *'"reason"'* ]]
	lab start mtd
	establish --new
	three_agree
}

@test "a BSF that lost its store: stale B-TID at the NAF, the device falls from scenario 2 to 1 by itself" {
	establish --new
	old=$btid
	ksctl extdevd key forget --all
	lab restart nafkcd
	lab stop bsfd
	rm -f "$LAB"/bsfd/bsfd.db*
	lab start bsfd
	# a new store knows neither subscriber nor NAF
	ksctl bsfd subscriber add "$LAB/subscriber.json"
	for f in "$LAB"/naf-*.json; do ksctl bsfd naf add "$f"; done
	establish
	[ "$scenario" = 1 ]
	[ "$btid" != "$old" ]
	three_agree
}

@test "an MT that lost its store: the device's key stays, forget and establish bootstrap anew" {
	establish --new
	lab stop mtd
	rm -f "$LAB"/mtd/mtd.db*
	lab start mtd
	ksctl extdevd key forget --all
	establish
	[ "$scenario" = 1 ]
	three_agree
}

@test "a subscriber that the BSF does not know: refused with a reason, taken again once it is added" {
	impi=$(jq -r .impi "$LAB/subscriber.json")
	ksctl bsfd subscriber delete "$impi"
	fails 4 --new
	ksctl bsfd subscriber add "$LAB/subscriber.json"
	establish --new
	three_agree
}

@test "a subscriber with another K at the BSF: the card refuses the network (MAC), no key anywhere" {
	jq '.k = "00112233445566778899aabbccddeeff"' "$LAB/subscriber.json" >"$BATS_TEST_TMPDIR/other.json"
	impi=$(jq -r .impi "$LAB/subscriber.json")
	before=$(kj mtd key list | get '.keys | length')
	ksctl bsfd subscriber delete "$impi"
	ksctl bsfd subscriber add "$BATS_TEST_TMPDIR/other.json"
	fails 4 --new
	[ "$(kj mtd key list | get '.keys | length')" = "$before" ]
	ksctl bsfd subscriber delete "$impi"
	ksctl bsfd subscriber add "$LAB/subscriber.json"
	establish --new
	three_agree
}

@test "5402: a NAF that the BSF does not serve: the Key Center refuses without retry, the audit says why" {
	fqdn=$(lab_get .nafkcd.naf_id | cut -d/ -f1)
	establish --new
	ksctl bsfd naf delete "$fqdn"
	lab restart nafkcd
	fails 4 --force
	for f in "$LAB"/naf-*.json; do ksctl bsfd naf add "$f" || true; done
	establish --force
	three_agree
}

@test "random octets and half requests on every listener: each daemon goes on serving" {
	for a in "$(lab_get .bsfd.ub | sed 's|http://||; s|/.*||')" "$(lab_get .bsfd.zn)" "$(lab_get .nafkcd.ua | sed 's|https://||; s|/.*||')" \
		"$(lab_get '.mtd.local[0]' | sed 's|^tcp:||')"; do
		for n in 1 2 3; do
			head -c 3000 /dev/urandom | timeout 5 bash -c 'exec 9<>"/dev/tcp/${0%:*}/${0##*:}"; cat >&9' "$a" || true
			printf 'GET / HTT' | timeout 5 bash -c 'exec 9<>"/dev/tcp/${0%:*}/${0##*:}"; cat >&9' "$a" || true
			printf '\x01\x00\x00\x14\x80\x00\x01\x01' | timeout 5 bash -c 'exec 9<>"/dev/tcp/${0%:*}/${0##*:}"; cat >&9' "$a" || true
			printf '{"id":1,"op":"info"}\n{"id":2\n[]\n' | timeout 5 bash -c 'exec 9<>"/dev/tcp/${0%:*}/${0##*:}"; cat >&9' "$a" || true
		done
	done
	lab status >/dev/null
	establish --new
	three_agree
}

@test "a thousand idle clients on Ub under a login shell's limit of open files: control socket, Zn and other phones go on" {
	(ulimit -Sn 1024 && lab restart bsfd) >/dev/null
	coproc idle { exec python3 -c 'import socket, sys
host, port = sys.argv[1].rsplit(":", 1)
held = [socket.create_connection((host, int(port)), 5) for _ in range(1010)]
print("held", flush=True)
sys.stdin.read()' "$(lab_get .bsfd.ub | sed 's|http://||; s|/.*||')"; }
	read -r -t 30 -u "${idle[0]}" line
	[ "$line" = held ]
	ksctl bsfd health >/dev/null
	lab restart nafkcd >/dev/null
	ksctl bsfd wait peer --timeout 10 >/dev/null
	establish --new
	eval "exec ${idle[1]}>&-"
	three_agree
}
