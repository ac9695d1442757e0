#!/usr/bin/env bats
# Two labs side by side; ports and sockets (S3); lab's own verbs and mistakes.
load lib
setup_file() {
	mkdir -p "$XDG_RUNTIME_DIR"
	# the second one's path is too long for a UNIX socket
	LAB2=$BATS_FILE_TMPDIR/$(printf 'very-long-%.0s' 1 2 3 4 5 6 7 8 9 10)lab
	export LAB2
	lab_up
	"$ROOT/scripts/lab" up --dir "$LAB2" >"$BATS_FILE_TMPDIR/up2.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/up2.log"; return 1; }
}
teardown_file() {
	"$ROOT/scripts/lab" down --dir "$LAB2"
	lab_down
}
in2() { LAB=$LAB2 "$@"; }

@test "two labs side by side: each establishes its own key with its own subscriber" {
	establish && three_agree
	one=$btid
	in2 establish && in2 three_agree
	[ "$one" != "$btid" ]
	[ "$(lab_get .bsfd.zn)" != "$(in2 lab_get .bsfd.zn)" ]
	[ "$(kj mtd key list | jq -r '.keys[].btid')" != "$(in2 kj mtd key list | jq -r '.keys[].btid')" ]
}

@test "S3: a socket path that is too long is put elsewhere, and status --json prints it" {
	sock=$(in2 lab_get .extdevd.control)
	sock=${sock#unix:}
	[ -S "$sock" ]
	[ ${#sock} -lt 108 ]
	[[ $sock != "$LAB2"* ]]
}

@test "S3: the bound ports are in the configuration, and a restart keeps them" {
	not grep -nE ':0"' "$LAB"/*.conf
	before=$(cat "$LAB/lab.json")
	ready=$(cat "$LAB"/*/out)
	for d in bsfd nafkcd mtd extdevd; do lab restart $d; done
	[ "$(cat "$LAB"/*/out)" = "$ready" ]
	[ "$(cat "$LAB/lab.json")" = "$before" ]
	establish --force
}

@test "S3: without --lab ksctl takes the newest running lab of this user and says which; KSLOCAL_LAB names one" {
	run --separate-stderr "$KSLOCAL_BIN/ksctl" --json extdevd establish
	[ "$status" -eq 0 ]
	[[ $stderr == *"$LAB2"* ]]
	[ "$(jq -r .btid <<<"$output")" = "$(in2 kj extdevd establish | jq -r .btid)" ]
	run --separate-stderr env KSLOCAL_LAB="$LAB" "$KSLOCAL_BIN/ksctl" --json extdevd establish
	[ "$(jq -r .btid <<<"$output")" = "$(kj extdevd establish | jq -r .btid)" ]
}

@test "status --json has the members of the issue, D/lab.json is that object" {
	run lab status --json
	[ "$status" -eq 0 ]
	jq -e '(.bsfd | .ub, .fqdn, .zn, .host, .realm), (.nafkcd | .ua, .naf_id), .mtd.local[0], .ca, .device_cert, .device_key,
		.stores.bsfd, .stores.nafkcd, .stores.mtd, .stores.extdevd, .logs.bsfd, .logs.mtd, .logs.nafkcd, .logs.extdevd,
		(.zn_test | .host, .realm, .fqdn, .protocol) | strings | length > 0' <<<"$output" >"$BATS_TEST_TMPDIR/members"
	[ "$(sort "$BATS_TEST_TMPDIR/members" | uniq -c | awk '{print $1 $2}')" = 23true ]
	[ "$(jq -S . <<<"$output")" = "$(jq -S . "$LAB/lab.json")" ]
	for f in $(jq -r '.ca, .device_cert, .device_key, .stores[], .logs[]' <<<"$output"); do [ -f "$f" ]; done
	[[ $(jq -r .bsfd.ub <<<"$output") == http://127.0.0.1:* ]]
	[[ $(jq -r .nafkcd.ua <<<"$output") == https://*/keycentre/v1/key-request ]]
	[ "$(jq -r '[keys[]] | join(" ")' "$LAB/subscriber.json")" = "amf iccid impi imsi k opc" ]
}

@test "zn_test is served by bsfd for its own host alone" {
	kj bsfd naf list | get --arg f "$(lab_get .zn_test.fqdn)" 'any(.nafs[]; .fqdn == $f)'
}

@test "store keys, subscriber, card and private keys are 0600" {
	for f in "$LAB"/keys/*.key "$LAB"/pki/*.key "$LAB/subscriber.json" "$LAB/card.conf"; do
		[ "$(stat -c %a "$f")" = 600 ] || { echo "$f: $(stat -c %a "$f")"; return 1; }
	done
}

@test "lab up again in the same place: refused while it runs, the same lab afterwards" {
	run lab up
	[ "$status" -eq 1 ]
	[[ $output == *"is up already"* ]]
	establish
	old=$btid
	ports=$(lab_get .bsfd.zn)
	lab down
	[ -z "$(ls "$XDG_RUNTIME_DIR/labs" | grep "$(printf '%s' "$LAB" | cksum | tr ' ' -)")" ]
	run lab status
	[ "$status" -eq 1 ]
	lab_up
	[ "$(lab_get .bsfd.zn)" = "$ports" ]
	establish
	[ "$scenario" = 0 ]
	[ "$btid" = "$old" ]
}

@test "lab up: a directory with something else in it is left alone; one line says so" {
	mkdir "$BATS_TEST_TMPDIR/other"
	echo mine >"$BATS_TEST_TMPDIR/other/file"
	run "$ROOT/scripts/lab" up --dir "$BATS_TEST_TMPDIR/other"
	[ "$status" -eq 1 ]
	[ ${#lines[@]} -eq 1 ]
	[ "$(ls "$BATS_TEST_TMPDIR/other")" = file ]
}

@test "lab up: a daemon that cannot start: its last log lines, one line of what went wrong, nothing left running" {
	bad=$BATS_TEST_TMPDIR/bad
	"$ROOT/scripts/lab" up --dir "$bad" --no-start
	port=$(lab_get .bsfd.zn)
	sed -i "s|listen = \"127.0.0.1:0\"	# bound: ua|listen = \"$port\"	# bound: ua|" "$bad/nafkcd.conf"
	run "$ROOT/scripts/lab" up --dir "$bad"
	[ "$status" -eq 1 ]
	[[ $output == *"last lines of $bad/nafkcd/log"* && ${lines[-1]} == *"nafkcd ended at once"* ]] || { echo "$output"; return 1; }
	[ ! -e "$bad/bsfd/pid" ]
	[ ! -e "$bad/nafkcd/pid" ]
}

@test "lab up: what came up before another daemon failed is found again once the mistake is mended" {
	half=$BATS_TEST_TMPDIR/half
	run "$ROOT/scripts/lab" up --dir "$half" --set mtd 'nonsense = 1'
	[ "$status" -eq 1 ]
	[[ $output == *"nonsense: unknown here"* ]] || { echo "$output"; return 1; }
	sed -i '/^nonsense/d' "$half/mtd.conf"
	KSLOCAL_START_TIMEOUT=10 "$ROOT/scripts/lab" up --dir "$half"
	"$KSLOCAL_BIN/ksctl" --lab "$half" extdevd establish
	"$ROOT/scripts/lab" down --dir "$half"
}

@test "lab: usage errors are 2 and two lines, --help is 0 and names every verb" {
	status_is 2 lab 2>/dev/null
	for mistake in 'up --link wet' 'up --service web' 'up --set line x' 'logs nobody'; do
		# shellcheck disable=SC2086 # words
		run lab $mistake
		[ "$status" -eq 2 ] && [ ${#lines[@]} -eq 2 ] && [[ $output == *"'${mistake##* }'"* || $output == *"'line'"* ]] || { echo "$mistake: $output"; return 1; }
	done
	run lab stop line
	[ "$status" -eq 1 ]
	[[ $output == *'--link pty'* ]]
	status_is 2 lab fly 2>/dev/null
	status_is 2 lab restart nobody 2>/dev/null
	status_is 2 lab clock 5 2>/dev/null
	run lab --help
	[ "$status" -eq 0 ]
	for verb in up down status restart logs clock; do [[ $output == *"$verb"* ]]; done
}

@test "lab logs prints each daemon's log" {
	run lab logs
	for d in bsfd nafkcd mtd extdevd; do grep -q "^$d: " <<<"$output"; done
	run lab logs mtd
	not grep -q '^bsfd: ' <<<"$output"
}

@test "deps: quiet when nothing is missing; one line when it cannot; from any directory; without apt lists it fetches them" {
	cd /
	run "$ROOT/scripts/deps" build test
	[ "$status" -eq 0 ] && [ -z "$output" ] || { echo "$output"; return 1; }
	# a machine that lacks everything: dpkg-query knows nothing
	mkdir "$BATS_TEST_TMPDIR/bin"
	printf '#!/bin/sh\nexit 1\n' >"$BATS_TEST_TMPDIR/bin/dpkg-query"
	printf '#!/bin/sh\necho "$@" >>%s\necho "E: Unable to locate package gcc" >&2\nexit 100\n' "$BATS_TEST_TMPDIR/calls" >"$BATS_TEST_TMPDIR/bin/apt-get"
	chmod +x "$BATS_TEST_TMPDIR"/bin/*
	printf '#!/bin/sh\nshift\nexec "$@"\n' >"$BATS_TEST_TMPDIR/bin/sudo"
	chmod +x "$BATS_TEST_TMPDIR/bin/sudo"
	PATH=$BATS_TEST_TMPDIR/bin:$PATH run "$ROOT/scripts/deps"
	[ "$status" -eq 1 ]
	[ ${#lines[@]} -eq 1 ]
	[[ ${lines[0]} == *"cannot install"*"Unable to locate"* ]]
	grep -q 'install.*gcc' "$BATS_TEST_TMPDIR/calls"
	grep -q update "$BATS_TEST_TMPDIR/calls"
	run "$ROOT/scripts/deps" everything
	[ "$status" -eq 2 ]
}
