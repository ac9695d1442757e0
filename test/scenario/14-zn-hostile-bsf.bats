#!/usr/bin/env bats
# A hostile BSF: nafkcd gives no key that it should not, says why, and serves the next request (test/conform/zn_hostile_bsf.py)
load lib
setup_file() {
	lab_up
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

# A B-TID of our own bsfd that no Key Center has seen, and what Zn should say of it.
fresh() {
	btid=$(kj mtd bootstrap | get .btid)
	python3 "$ROOT/test/scenario/expect.py" naf-key "$LAB/subscriber.json" "$btid" "$naf_id" >"$KEY"
	ksctl nafkcd wait peer --timeout 10
}
# ask: a Key Request straight to nafkcd (extdevd would wait and repeat, N6); sets code and body
ask() {
	code=$(curl -sS --max-time 20 --cacert "$(lab_get .ca)" --cert "$(lab_get .device_cert)" --key "$(lab_get .device_key)" \
		-o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' -H 'Content-Type: application/xml; charset=utf-8' \
		--data-binary "<keyRequest xmlns=\"urn:x-kslocal:ua:1\"><btid>$btid</btid><deviceId>$device_id</deviceId></keyRequest>" "$(lab_get .nafkcd.ua)")
	body=$(cat "$BATS_TEST_TMPDIR/body")
}
element() { sed -n "s|.*<$1>\([^<]*\)</$1>.*|\1|p" <<<"$body"; }
asked() { grep -qxF "asked $1 $btid" "$SAID" || { echo "was not asked $1 for $btid"; tail -n 5 "$SAID"; return 1; }; }
# right_key: the last answer is the key that derive.py works out
right_key() {
	[ "$code" = 200 ] || { echo "status $code: $body"; return 1; }
	[ "$(element ksLocalDevice | base64 -d | od -An -v -tx1 | tr -d ' \n')" = "$(python3 "$ROOT/test/scenario/expect.py" key "$LAB/subscriber.json" "$btid" "$naf_id" "$device_id")" ]
}
# given MODE: that answer is as good as a right one
given() {
	echo "$1" >"$MODE"
	fresh
	ask
	asked "$1" || return 1
	right_key || { echo "mode $1"; return 1; }
}
# refused MODE STATUS WORD REASON: no key but that status and word, that reason in nafkcd's log; the same request is served when
# the BSF has come to its senses
refused() {
	echo "$1" >"$MODE"
	fresh
	ask
	[ "$code $(element reason)" = "$2 $3" ] || { echo "$1: $code $body"; return 1; }
	[ -z "$(element ksLocalDevice)" ] || { echo "$1: a key all the same"; return 1; }
	asked "$1" || return 1
	grep -F "$btid" "$LAB/nafkcd/log" | grep -qF "reason=$4:" || { echo "$1: no reason=$4"; tail -n 4 "$LAB/nafkcd/log"; return 1; }
	not nafkcd_has "$btid" || { echo "$1: nafkcd has a key"; return 1; }
	echo right >"$MODE"
	ksctl nafkcd wait peer --timeout 10 || return 1
	ask
	right_key || { echo "after $1"; return 1; }
}
nafkcd_has() { kj nafkcd key list | jq -e --arg b "$1" 'any(.keys[]; .btid == $b)' >/dev/null; }
setup() {
	naf_id=$(lab_get .nafkcd.naf_id)
	device_id=urn:uuid:00000000-0000-4000-8000-000000000001
}

@test "answers that are odd but right give the key" {
	for mode in right twice orphans-first watchdog-between uicc-key unknown-avp; do
		given $mode
	done
}

@test "a success that lacks something, or has too much, is no success" {
	for mode in no-key short-key long-key no-expiry short-expiry two-keys no-result no-session other-session nul-session \
		unknown-avp-with-m overrun success-and-refusal success-with-e; do
		refused $mode 503 unavailable zn-bad-answer
	done
}

@test "errors of the BSF are errors of the moment" {
	for mode in busy not-delivered unable other-error; do
		refused $mode 503 unavailable zn-refused
	done
}

@test "a BSF that goes instead of answering" {
	for mode in close half-then-close noise version-2; do
		refused $mode 503 unavailable zn-unreachable
	done
}

@test "a BSF that says nothing: time-out" {
	refused silence 503 unavailable zn-timeout
}

@test "a key that is over already is bootstrap-again" {
	echo expired >"$MODE"
	fresh
	ask
	[ "$code $(element reason)" = "403 bootstrap-again" ]
	asked expired
	not nafkcd_has "$btid"
}

@test "and through it all the device gets its key" {
	echo right >"$MODE"
	fresh
	establish
	asked right
	three_agree
}

@test "every mode of the hostile BSF was played" {
	for mode in $(python3 "$ROOT/test/conform/zn_hostile_bsf.py" --modes); do
		grep -q "^asked $mode " "$SAID"
	done
}
