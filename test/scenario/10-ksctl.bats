#!/usr/bin/env bats
# ksctl: exit codes (0 done, 1 the answer is no, 2 usage, 3 unreachable, 4 refused), --json everywhere, --help. ARCHITECTURE 8a
load lib
setup_file() { lab_up; }
teardown_file() { lab_down; }

verbs='bsfd health|bsfd status|bsfd subscriber list|bsfd bootstrap list|bsfd naf list|nafkcd health|nafkcd status|nafkcd key list
nafkcd device list|nafkcd audit|nafkcd block list|mtd health|mtd status|mtd key list|extdevd health|extdevd status|extdevd key list|ladder'
each_verb() {
	local v
	while IFS= read -r v; do "$1" "$v" || { echo "ksctl $v"; return 1; }; done < <(tr '|' '\n' <<<"$verbs")
}

@test "--json: every verb that shows something answers one JSON object" {
	establish
	one() {
		local out
		# shellcheck disable=SC2086
		out=$(kj $1)
		[ "$(jq -s 'length == 1 and (.[0] | type == "object")' <<<"$out")" = true ] || { echo "$out"; return 1; }
	}
	each_verb one
}

@test "without --json the same verbs print text with what matters" {
	establish
	[[ $(ksctl extdevd key list) == *"$kcv"* ]]
	[[ $(ksctl mtd key list) == *"$kcv"* ]]
	[[ $(ksctl nafkcd key list) == *"$kcv"* ]]
	[[ $(ksctl bsfd bootstrap list) == *"$btid"* ]]
	[[ $(ksctl extdevd establish) == *"$kcv"* ]]
}

@test "exit 0 done; key lists of the three agree" {
	establish
	[ "$(kcv_at extdevd "$btid")" = "$(kcv_at mtd "$btid")" ]
	[ "$(kcv_at mtd "$btid")" = "$(kcv_at nafkcd "$btid")" ]
}

@test "exit 1: the answer is no: wait for a key that does not come" {
	ksctl extdevd key forget --all
	status_is 1 ksctl extdevd wait key --timeout 1
	establish
	status_is 0 ksctl extdevd wait key --timeout 1
}

@test "wait ready and wait peer succeed at once in a running lab" {
	for d in bsfd nafkcd mtd extdevd; do status_is 0 ksctl $d wait ready --timeout 5; done
	status_is 0 ksctl nafkcd wait peer --timeout 5
	status_is 0 ksctl bsfd wait peer --timeout 5
}

@test "exit 2: usage" {
	for args in '' 'nobody health' 'bsfd fly' 'extdevd establish --colour red' '--lab' 'bsfd subscriber add' 'extdevd wait ready --timeout soon'; do
		# shellcheck disable=SC2086
		run ksctl $args
		[ "$status" -eq 2 ] || { echo "'$args': exit $status: $output"; return 1; }
		# shellcheck disable=SC2086
		run ksctl $args --json
		[ "$status" -eq 2 ]
		[ "$(get '.error.reason' <<<"$output")" = ctl-usage ] || { echo "'$args' --json: $output"; return 1; }
	done
}

@test "exit 3: the daemon is not there" {
	lab stop extdevd
	run ksctl --json extdevd establish
	[ "$status" -eq 3 ] || { echo "$status $output"; return 1; }
	lab start extdevd
	status_is 3 "$KSLOCAL_BIN/ksctl" --socket "unix:$BATS_TEST_TMPDIR/none.sock" bsfd health
	status_is 3 "$KSLOCAL_BIN/ksctl" --lab "$BATS_TEST_TMPDIR" bsfd health
}

@test "exit 4: refused, with a reason code, its cause and what to do next" {
	establish
	ksctl nafkcd device block "$device_id"
	run --separate-stderr ksctl extdevd establish --force
	[ "$status" -eq 4 ] || { echo "exit $status: $output $stderr"; return 1; }
	[ -n "$stderr" ]
	run --separate-stderr kj extdevd establish --force
	[ "$status" -eq 4 ]
	jq -e '.error | .code, .reason, .text' <<<"$output" >/dev/null || { echo "$output"; return 1; }
	ksctl nafkcd device allow "$device_id"
	establish --force
}

@test "S2: subscriber add reads a file and standard input; no option takes a key; list shows none" {
	impi=$(jq -r .impi "$LAB/subscriber.json")
	ksctl bsfd subscriber delete "$impi"
	ksctl bsfd subscriber add - <"$LAB/subscriber.json"
	out=$(kj bsfd subscriber list)
	[ "$(jq -r '.subscribers[0].impi' <<<"$out")" = "$impi" ]
	[[ $out != *"$(jq -r .k "$LAB/subscriber.json")"* && $out != *"$(jq -r .opc "$LAB/subscriber.json")"* ]]
	not grep -qE -- '--(k|opc|op|key)[ =]' <<<"$(ksctl --help)"
	establish --new
	three_agree
}

@test "S2: a bad subscriber file is refused with the member's name and without its text" {
	for change in '.k = "xyzzy0000"' 'del(.opc)' '.imsi = "12"' '.amf = "123456"' '.colour = "red"'; do
		jq "$change" "$LAB/subscriber.json" >"$BATS_TEST_TMPDIR/bad.json"
		run ksctl bsfd subscriber add "$BATS_TEST_TMPDIR/bad.json"
		[ "$status" -ne 0 ] || { echo "taken: $change"; return 1; }
		[[ $output != *xyzzy* ]]
	done
	printf '{"k": "xyzzy' >"$BATS_TEST_TMPDIR/bad.json"
	run ksctl bsfd subscriber add "$BATS_TEST_TMPDIR/bad.json"
	[ "$status" -ne 0 ]
	[[ $output != *xyzzy* ]]
}

@test "--help: exit 0, names every daemon and verb" {
	run ksctl --help
	[ "$status" -eq 0 ]
	for w in --lab --socket --json establish 'key list' 'key forget' bootstrap 'device list' 'device allow' 'device block' audit 'subscriber add' \
		'subscriber list' 'naf add' 'naf list' health 'wait' ladder; do
		[[ $output == *"$w"* ]] || { echo "--help does not name: $w"; return 1; }
	done
	run ksctl mtd --help
	[ "$status" -eq 0 ]
	[[ $output == *'uicc insert'* && $output == *log-level* && $output != *'subscriber add'* ]]
	for v in line 'card serve'; do
		# shellcheck disable=SC2086 # words
		run --separate-stderr "$KSLOCAL_BIN/ksctl" $v --help
		[ "$status" -eq 0 ] && [[ $output == usage:* ]] || { echo "$v: $status $output"; return 1; }
	done
}

@test "the control socket is for root and its own user: another user is turned away" {
	command -v setpriv >/dev/null
	[ "$(id -u)" = 0 ] || skip "needs root"
	run setpriv --reuid 65534 --regid 65534 --clear-groups "$KSLOCAL_BIN/ksctl" --lab "$LAB" bsfd health
	[ "$status" -eq 3 ] || [ "$status" -eq 4 ]
}

@test "health, status and wait ready without a daemon ask all four; one that is not there makes it exit 3" {
	run ksctl health
	[ "$status" -eq 0 ]
	[ "$(grep -c '^[a-z]* *healthy$' <<<"$output")" = 4 ]
	[ "$(kj status | jq -r '[.[].daemon] | join(" ")')" = "bsfd nafkcd mtd extdevd" ]
	status_is 0 ksctl wait ready --timeout 5
	lab stop mtd
	run --separate-stderr kj health
	[ "$status" -eq 3 ]
	[ "$(jq -r '.mtd.error.reason, .bsfd.healthy' <<<"$output" | paste -sd' ')" = "link-unreachable true" ]
	lab start mtd
}

@test "trace --follow shows the events of an establishment as they come; stop ends it with exit 3" {
	ksctl --json mtd trace --follow >"$BATS_TEST_TMPDIR/events" 2>&1 3>&- &
	follower=$!
	establish --new
	for _ in $(seq 100); do grep -q "\"step\":10,\"run\":\"$run\"" "$BATS_TEST_TMPDIR/events" && break; sleep 0.05; done
	lab stop mtd
	rc=0
	wait $follower || rc=$?
	[ "$rc" -eq 3 ]
	grep -q "\"step\":10,\"run\":\"$run\"" "$BATS_TEST_TMPDIR/events"
	lab start mtd
}
