#!/usr/bin/env bats
# A hostile NAF at a running bsfd: what has ended other Diameter nodes (test/conform/zn_hostile.py), and that everybody else is served
load lib
setup_file() { lab_up; }
teardown_file() { lab_down; }

@test "a hostile NAF gets its errors, and bsfd goes on serving it and others" {
	pid=$(pid_of bsfd)
	out=$(python3 "$ROOT/test/conform/ub_client.py" --realm "$(lab_get .bsfd.fqdn)" "$(lab_get .bsfd.ub)" "$LAB/subscriber.json")
	btid=$(jq -er .btid <<<"$out")
	naf=$(lab_get .zn_test.fqdn) protocol=$(lab_get .zn_test.protocol)
	timeout 200 python3 "$ROOT/test/conform/zn_hostile.py" --zn "$(lab_get .bsfd.zn)" --bsf "$(lab_get .bsfd.host)" --realm "$(lab_get .bsfd.realm)" \
		--naf "$(lab_get .zn_test.host)" --fqdn "$naf" --protocol "$protocol" --btid "$btid" \
		--key "$(python3 "$ROOT/test/scenario/expect.py" naf-key "$LAB/subscriber.json" "$btid" "$naf/$protocol")" >"$BATS_TEST_TMPDIR/tap" ||
		{ grep -A1 '^not ok' "$BATS_TEST_TMPDIR/tap"; return 1; }
	[ "$(grep -c '^ok' "$BATS_TEST_TMPDIR/tap")" -ge 90 ]
	[ "$(pid_of bsfd)" = "$pid" ]
	establish --new
	three_agree
}

@test "each refusal is in bsfd's log with its reason, and no line has an octet of the peer's raw" {
	for reason in zn-malformed zn-bad-message zn-unknown-peer zn-no-common-application zn-origin zn-btid-unknown zn-not-allowed; do
		log_has bsfd "reason=$reason:"
	done
	not env LC_ALL=C grep -q '[^[:print:][:blank:]]' "$LAB/bsfd/log"
}
