#!/usr/bin/env bats
# Ub as an outsider sees it (Shows 5): curl cannot bootstrap, a client written from ub.md alone can. TS 24.109 4
load lib
setup_file() { lab_up; }
teardown_file() { lab_down; }
# no challenge is open when a test begins (B2: two per source)
setup() { lab clock +61; }
ub() { python3 "$ROOT/test/scenario/ub_client.py" "$(lab_get .bsfd.ub)" "$LAB/subscriber.json" "$@"; }
bootstraps() { kj bsfd bootstrap list | get '.bootstraps | length'; }

@test "Shows 5: curl --digest cannot bootstrap" {
	impi=$(jq -r .impi "$LAB/subscriber.json")
	for password in x "$(jq -r .k "$LAB/subscriber.json")"; do
		lab clock +61
		run curl -sS --max-time 10 --digest -u "$impi:$password" -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' "$(lab_get .bsfd.ub)"
		[ "$output" != 200 ]
		not grep -q btid "$BATS_TEST_TMPDIR/body"
	done
	[ "$(bootstraps)" = 0 ]
}

@test "Shows 5: a client written from ub.md alone can: challenge, response, rspauth, BootstrappingInfo" {
	out=$(ub)
	[ "$(get .status <<<"$out")" = 200 ]
	b=$(get .btid <<<"$out")
	kj bsfd bootstrap list | get --arg b "$b" --arg t "$(get .lifetime <<<"$out")" 'any(.bootstraps[]; .btid == $b and .expires == $t)'
}

@test "ub.md 6: AUTS: a fresh challenge beyond SQN_MS, then 200; the MT's card still takes the next vector" {
	out=$(ub --resync)
	[ "$(get .status <<<"$out")" = 200 ]
	[ "$(get .resynchronised <<<"$out")" = true ]
	establish --new
	three_agree
}

@test "ub.md 7: the TMPI of a run is taken as username of the next; an unknown one is not" {
	tmpi=$(ub | get .tmpi)
	[ "$(ub --user "$tmpi" | get .status)" = 200 ]
	status=$(ub --user "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@tmpi.bsf.3gppnetwork.org" | get .status)
	[ "$status" = 403 ] || [ "$status" = 404 ]
}

@test "ub.md 6: a wrong response, a replayed one, an unknown IMPI, a foreign realm: no B-TID" {
	before=$(bootstraps)
	status=$(ub --wrong | get .status)
	[ "$status" = 401 ] || [ "$status" = 403 ]
	[ "$(bootstraps)" = "$before" ]
	lab clock +61	# a wrong response leaves the challenge open, or a stranger could end it; the one that follows is open too
	replay=$(ub --replay | get .replay_status)
	[ "$replay" = 401 ] || [ "$replay" = 403 ]
	[ "$(ub --user nobody@ims.mnc001.mcc001.3gppnetwork.org | get .status)" = 403 ]
	[ "$(ub --realm bsf.mnc099.mcc001.pub.3gppnetwork.org | get .status)" = 400 ]
}

@test "ub.md 10: a response without algorithm is taken as AKAv1-MD5" {
	[ "$(ub --no-algorithm | get .status)" = 200 ]
}

@test "B1: nine bootstrappings of one IMPI: the newest eight are kept" {
	for n in 1 2 3 4 5 6 7 8 9; do last=$(ub | get .btid); done
	[ "$(bootstraps)" = 8 ]
	kj bsfd bootstrap list | get --arg b "$last" 'any(.bootstraps[]; .btid == $b)'
}

@test "B2: a stranger who opens challenges for an IMPI is refused with 503 and Retry-After, and the MT still gets in" {
	impi=$(jq -r .impi "$LAB/subscriber.json")
	fqdn=$(lab_get .bsfd.fqdn)
	codes=
	for n in 1 2 3 4; do
		codes+=" $(curl -sS --max-time 10 -D "$BATS_TEST_TMPDIR/head" -o /dev/null -w '%{http_code}' \
			-H "Authorization: Digest username=\"$impi\", realm=\"$fqdn\", nonce=\"\", uri=\"/\", response=\"\"" "$(lab_get .bsfd.ub)")"
	done
	[ "$codes" = ' 401 401 503 503' ]
	grep -qi '^retry-after:' "$BATS_TEST_TMPDIR/head"
	# the quota is per IMPI and source address: the MT comes from the same one here, so its time comes with the challenges' end
	lab clock +61
	establish --new
	three_agree
}

@test "ub.md 6: what is no request: 400, 405; the daemon goes on" {
	u=$(lab_get .bsfd.ub)
	c() { curl -sS --max-time 10 -o /dev/null -w '%{http_code}' "$@" "$u"; }
	[ "$(c -X POST -d x)" = 405 ]
	for h in 'Basic abc' 'Digest' 'Digest username="a' 'Digest username="a", username="b", realm="x"' \
		"Digest username=\"$(head -c 5000 /dev/zero | tr '\0' x)\", realm=\"$(lab_get .bsfd.fqdn)\", nonce=\"\", uri=\"/\", response=\"\""; do
		code=$(c -H "Authorization: $h")
		[ "$code" = 400 ] || [ "$code" = 401 ] || [ "$code" = 431 ] || { echo "$code for ${h:0:60}"; return 1; }
		[ "$code" != 401 ] || [ "$h" = 'Basic abc' ]
	done
	[ "$(ub | get .status)" = 200 ]
}
