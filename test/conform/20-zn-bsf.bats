#!/usr/bin/env bats
# A BSF on freeDiameter's libfdcore serves nafkcd, over TCP and over TLS (Shows 6). The phone bootstraps with our bsfd; then nafkcd is
# pointed at the foreign BSF, which gives the Ks_NAF that derive.py works out.
load zn
bats_require_minimum_version 1.5.0
setup_file() { lab_up; }
teardown_file() { lab_down; }
# Each test: the phone has a new B-TID of our own bsfd, which no Key Center has seen yet (for a triple that it knows nafkcd asks
# nobody), and no device has a key.
setup() {
	keys=$BATS_TEST_TMPDIR/keys
	: >"$keys"
	ksctl extdevd key forget --all
	btid=$(kj mtd bootstrap | get .btid)
	naf_id=$(lab_get .nafkcd.naf_id)
}
teardown() {
	bsf_end
	nafkcd_at "$(lab_get .bsfd.zn)" no
}

# nafkcd_at ADDRESS yes|no: its BSF is there, with TLS or without; returns when that peer is up
nafkcd_at() {
	lab stop nafkcd
	sed -i "/peer \"/,/}/ { /tls = /d; s|^\( *\)address = .*|\1address = \"$1\"\n\1tls = $2| }" "$LAB/nafkcd.conf"
	lab start nafkcd
}
# bsf_start tcp|tls: in the place of our bsfd, for nafkcd
bsf_start() {
	local tls=no port
	[ "$1" = tcp ] || tls=yes
	port=$(free_port)
	mkfifo "$BATS_TEST_TMPDIR/hold"
	: >"$BATS_TEST_TMPDIR/said"
	"$CONFORM_BIN/fd_bsf" "host=$(lab_get .bsfd.host)" "realm=$(lab_get .bsfd.realm)" "port=$port" "tls=$tls" \
		"cert=$LAB/pki/zn-bsf.pem" "key=$LAB/pki/zn-bsf.key" "ca=$(lab_get .ca)" "keys=$keys" \
		<"$BATS_TEST_TMPDIR/hold" >"$BATS_TEST_TMPDIR/said" 2>"$BATS_TEST_TMPDIR/fd_bsf.log" 3>&- &
	bsf_pid=$!
	exec 7>"$BATS_TEST_TMPDIR/hold"
	until grep -qx ready "$BATS_TEST_TMPDIR/said"; do
		kill -0 "$bsf_pid" || { cat "$BATS_TEST_TMPDIR/fd_bsf.log"; return 1; }
		sleep 0.05
	done
	nafkcd_at "127.0.0.1:$port" $tls
}
bsf_end() {
	exec 7>&-
	if [ -n "${bsf_pid:-}" ]; then
		timeout 10 tail --pid="$bsf_pid" -f /dev/null || kill -KILL "$bsf_pid"
	fi
	bsf_pid=
}

# asked N: the foreign BSF was asked N times for the B-TID of this test
asked() {
	local n
	n=$(grep -cxF "asked $btid" "$BATS_TEST_TMPDIR/said") || true
	[ "$n" -eq "$1" ] || { echo "asked $n times, not $1:"; cat "$BATS_TEST_TMPDIR/said"; return 1; }
}
# refused CODE: establish ends with that exit code and a reason
refused() {
	run -"$1" --separate-stderr ksctl --json extdevd establish
	jq -e '.error.reason | strings' <<<"$output"
}

@test "Shows 6: nafkcd gets its key from a BSF on libfdcore over TCP, and all three agree" {
	echo "$btid $(naf_key "$btid" "$naf_id")" >"$keys"
	old=$btid
	bsf_start tcp
	establish
	[ "$scenario" = 2 ]
	[ "$btid" = "$old" ]
	asked 1
	three_agree
}

@test "Shows 6: nafkcd gets its key from a BSF on libfdcore over TLS, and all three agree" {
	echo "$btid $(naf_key "$btid" "$naf_id")" >"$keys"
	old=$btid
	bsf_start tls
	establish
	[ "$scenario" = 2 ]
	[ "$btid" = "$old" ]
	asked 1
	three_agree
}

@test "another key from a foreign BSF does not pass for the right one" {
	echo "$btid $(printf '00%.0s' {1..32})" >"$keys"
	bsf_start tcp
	status_is 4 ksctl extdevd establish
	asked 1
}

@test "a foreign BSF's 5402 is a refusal without retry" {
	echo "$btid no" >"$keys"
	bsf_start tcp
	refused 4
	asked 1
	log_has nafkcd "reason=zn-not-authorized"
}

@test "a foreign BSF's 5403 sends the device back to bootstrap" {
	old=$btid
	bsf_start tcp			# it knows no B-TID at all, the new one neither
	refused 4
	asked 1
	grep -F "btid=$old " "$LAB/nafkcd/log" | grep -q 'reason=zn-btid-invalid'
	not test "$(kj bsfd bootstrap list | get '.bootstraps[-1].btid')" = "$old"
}

@test "a foreign BSF that goes away: unreachable; back at our own, the next establish succeeds" {
	bsf_start tcp
	bsf_end
	refused 4
	asked 0
	nafkcd_at "$(lab_get .bsfd.zn)" no
	establish
	three_agree
}
