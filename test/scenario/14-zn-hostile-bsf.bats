#!/usr/bin/env bats
# A hostile BSF: nafkcd gives no key that it should not, says why, and serves the next request (test/conform/zn_hostile_bsf.py)
load lib
setup_file() {
	lab_up --set nafkcd 'rate_per_minute = 6000'
	export MODE=$BATS_FILE_TMPDIR/mode KEY=$BATS_FILE_TMPDIR/key SAID=$BATS_FILE_TMPDIR/said
	mkfifo "$BATS_FILE_TMPDIR/hold"
	echo right >"$MODE"
	python3 "$ROOT/test/conform/zn_hostile_bsf.py" --host "$(lab_get .bsfd.host)" --realm "$(lab_get .bsfd.realm)" --mode "$MODE" --key "$KEY" \
		<"$BATS_FILE_TMPDIR/hold" >"$SAID" 2>"$BATS_FILE_TMPDIR/bsf.log" 3>&- &
	exec 7>"$BATS_FILE_TMPDIR/hold"
	until grep -q ^ready "$SAID"; do sleep 0.05; done
	lab stop nafkcd
	sed -i "/peer \"/,/}/ s|address = .*|address = \"127.0.0.1:$(sed -n 's/^ready //p' "$SAID")\"|" "$LAB/nafkcd.conf"
	lab start nafkcd
}
teardown_file() {
	exec 7>&-
	lab_down
}

# A B-TID of our own bsfd that no Key Center has seen, and what Zn should say of it; the device has no key.
fresh() {
	ksctl extdevd key forget --all
	btid=$(kj mtd bootstrap | get .btid)
	python3 "$ROOT/test/scenario/expect.py" naf-key "$LAB/subscriber.json" "$btid" "$(lab_get .nafkcd.naf_id)" >"$KEY"
	ksctl nafkcd wait peer --timeout 10
}
asked() { grep -qxF "asked $1 $btid" "$SAID" || { echo "was not asked $1 for $btid"; tail -n 5 "$SAID"; return 1; }; }
# given MODE: that answer is as good as a right one
given() {
	echo "$1" >"$MODE"
	fresh
	old=$btid
	establish
	[ "$btid" = "$old" ] || { echo "another B-TID than the one at hand"; return 1; }
	asked "$1" || return 1
	three_agree
}
# refused MODE REASON: no key, that reason in nafkcd's log; the same request is served when the BSF has come to its senses
refused() {
	local rc=0
	echo "$1" >"$MODE"
	fresh
	old=$btid
	kj extdevd establish >"$BATS_TEST_TMPDIR/out" 2>&1 || rc=$?
	[ "$rc" -eq 4 ] || { echo "$1: exit $rc: $(cat "$BATS_TEST_TMPDIR/out")"; return 1; }
	asked "$1" || return 1
	grep -F "$old" "$LAB/nafkcd/log" | grep -qF "reason=$2:" || { echo "$1: no reason=$2"; tail -n 4 "$LAB/nafkcd/log"; return 1; }
	not nafkcd_has "$old" || { echo "$1: nafkcd has a key"; return 1; }
	echo right >"$MODE"
	ksctl nafkcd wait peer --timeout 10 || return 1
	establish
	three_agree || { echo "after $1"; return 1; }
}
nafkcd_has() { kj nafkcd key list | jq -e --arg b "$1" 'any(.keys[]; .btid == $b)' >/dev/null; }

@test "answers that are odd but right give the key" {
	for mode in right twice orphans-first watchdog-between uicc-key unknown-avp; do
		given $mode
	done
}

@test "a success that lacks something, or has too much, is no success" {
	for mode in no-key short-key long-key no-expiry short-expiry two-keys no-result no-session other-session nul-session \
		unknown-avp-with-m overrun success-and-refusal success-with-e; do
		refused $mode zn-bad-answer
	done
}

@test "errors of the BSF are errors of the moment" {
	for mode in busy not-delivered unable other-error; do
		refused $mode zn-refused
	done
}

@test "a BSF that goes instead of answering" {
	for mode in close half-then-close noise version-2; do
		refused $mode zn-unreachable
	done
}

@test "a BSF that says nothing: time-out" {
	refused silence zn-timeout
}

@test "a key that is over already is bootstrap-again" {
	echo expired >"$MODE"
	fresh
	status_is 4 ksctl extdevd establish
	asked expired
	not nafkcd_has "$btid"
}

@test "every mode of the hostile BSF was played" {
	for mode in $(python3 "$ROOT/test/conform/zn_hostile_bsf.py" --modes); do
		grep -q "^asked $mode " "$SAID"
	done
}
