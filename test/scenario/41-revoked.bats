#!/usr/bin/env bats
# A key that is taken back while it works (issue 5, Shows 4): by its certificate, by its name, and as the MT learns of it by itself.
load lib
load use
setup() {
	LAB=$BATS_TEST_TMPDIR/lab XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/user
	mkdir -p "$XDG_RUNTIME_DIR"
	echo_start
	lab up --service "echo=$ECHO" --set extdevd 'state_interval = "5m"' --set mtd 'state_interval = "5m"' >"$BATS_TEST_TMPDIR/up.log" 2>&1 ||
		{ cat "$BATS_TEST_TMPDIR/up.log"; return 1; }
	establish
	says_back "it works"
	stream_open
}
teardown() {
	stream_close
	lab down
	echo_stop
	not grep -HnE 'Sanitizer|runtime error:|Assertion|fatal:' "$LAB"/*/log
}
# A connection through the tunnel that stays
stream_open() {
	local at
	at=$(service_port echo)
	exec {stream}<>"/dev/tcp/${at%:*}/${at##*:}"
	printf 'a\n' >&$stream
	IFS= read -r -t 20 -u $stream line
	[ "$line" = a ]
}
stream_close() { [ -z "${stream:-}" ] || exec {stream}>&-; }
# it ends: end of file or reset, and nothing more; read's status is above 128 if it merely waited
stream_ends() {
	local rc=0
	read -r -t 20 -u $stream line || rc=$?
	[ $rc -ge 1 ]
	[ $rc -le 128 ]
}
spki() { kj nafkcd device list | get --arg d "$device_id" '.devices[] | select(.device_id == $d) | .spki'; }
audit_has() { kj nafkcd audit | jq -e --arg e "$1" --arg d "$device_id" '[.audit[] | select(.event == $e and .device_id == $d)] | length > 0' >/dev/null; }
both_lost_it() { not has_key nafkcd && not has_key extdevd && not has_key mtd && no_tunnels; }

@test "Shows 4: block by certificate while a tunnel runs: closed within the interval, both keys deleted, the next request 403, the audit tells it" {
	ksctl nafkcd device block --spki "$(spki)"
	lab clock +301
	stream_ends
	until_true both_lost_it
	run kj extdevd establish
	[ "$status" -eq 4 ]
	[[ $(get .error.text <<<"$output") == *"status 403"*"public key is blocked"* ]] || { echo "$output"; return 1; }
	kj nafkcd audit | jq -e '[.audit[] | select(.event == "key-blocked" or .event == "key-invalidated" or (.event == "refused" and .reason == "ua-key-blocked"))] | length >= 3' ||
		{ kj nafkcd audit; return 1; }
	# taken back: all is well again, with a new key
	old=$btid
	ksctl nafkcd device unblock --spki "$(spki)"
	establish
	[ "$btid" != "$old" ]
	three_agree
}

@test "Shows 4: key invalidate while a tunnel runs: the device learns of it by its own question" {
	lab stop mtd
	ksctl nafkcd key invalidate --btid "$btid" --device "$device_id"
	ksctl extdevd clock advance 301
	until_true not has_key extdevd
	audit_has key-invalidated
}

@test "Shows 4: key invalidate while a tunnel runs: the MT learns of it by its own digest request" {
	lab stop extdevd
	ksctl nafkcd key invalidate --btid "$btid" --device "$device_id"
	ksctl mtd clock advance 301
	until_true not has_key mtd
	log_has mtd 'revoked'
}

@test "Shows 4: after key invalidate the same request does not bring the same key back (N8)" {
	ksctl nafkcd key invalidate --btid "$btid" --device "$device_id"
	lab clock +301
	stream_ends
	until_true both_lost_it
	old=$btid old_kcv=$kcv
	establish
	[ "$btid" != "$old" ]
	[ "$kcv" != "$old_kcv" ]
	three_agree
	says_back "on the new key"
}

@test "N7: a question when nothing has changed is answered 304; the MT's second port speaks Digest under Ks_(ext)_NAF to a foreign client" {
	ksctl extdevd key check
	ksctl mtd key check
	naf_key=$(python3 "$ROOT/test/scenario/expect.py" naf-key "$LAB/subscriber.json" "$btid" "$naf_id")
	password=$(xxd -r -p <<<"$naf_key" | base64 -w0)
	url=$(lab_get .nafkcd.ua_mt)
	at=${url#https://} at=${at%%/*}
	run curl -sS -i --cacert "$LAB/pki/ca.pem" --digest -u "$btid:$password" -H "X-KSLocal-BTID: $btid" -H "X-KSLocal-Device-ID: $device_id" \
		--connect-to "::$at" "https://${naf_id%%/*}/keycentre/v1/key-state"
	[[ $output == *' 200'*keyState* ]] || { echo "$output"; return 1; }
	run curl -sS -i --cacert "$LAB/pki/ca.pem" --digest -u "$btid:wrong" -H "X-KSLocal-BTID: $btid" -H "X-KSLocal-Device-ID: $device_id" \
		--connect-to "::$at" "https://${naf_id%%/*}/keycentre/v1/key-state"
	[[ $output != *keyState* ]]
}
