#!/usr/bin/env bats
# A BSF on freeDiameter's libfdcore serves nafkcd, over TCP and over TLS (Shows 6). The phone bootstraps with our bsfd; then nafkcd is
# pointed at the foreign BSF, which gives the Ks_NAF that derive.py works out.
load zn
setup_file() { lab_up; }
teardown_file() { lab_down; }
setup() { keys=$BATS_TEST_TMPDIR/keys; : >"$keys"; }
teardown() { bsf_end; }

# bsf_start tcp|tls: in the place of our bsfd, for nafkcd
bsf_start() {
	local tls=no port line
	[ "$1" = tcp ] || tls=yes
	port=$(free_port)
	mkfifo "$BATS_TEST_TMPDIR/hold" "$BATS_TEST_TMPDIR/said"
	"$CONFORM_BIN/fd_bsf" "host=$(lab_get .bsfd.host)" "realm=$(lab_get .bsfd.realm)" "port=$port" "tls=$tls" \
		"cert=$LAB/pki/zn-bsf.pem" "key=$LAB/pki/zn-bsf.key" "ca=$(lab_get .ca)" "keys=$keys" \
		<"$BATS_TEST_TMPDIR/hold" >"$BATS_TEST_TMPDIR/said" 2>"$BATS_TEST_TMPDIR/fd_bsf.log" 3>&- &
	bsf_pid=$!
	exec 7>"$BATS_TEST_TMPDIR/hold"
	read -r -t 20 line <"$BATS_TEST_TMPDIR/said"
	[ "$line" = ready ] || { cat "$BATS_TEST_TMPDIR/fd_bsf.log"; return 1; }
	lab stop nafkcd
	sed -i "/peer \"/,/}/ { s|address = .*|address = \"127.0.0.1:$port\"|; /tls = /d; s|^\( *\)realm = .*|&\n\1tls = $tls| }" "$LAB/nafkcd.conf"
	lab start nafkcd		# waits until its peer is up
}
bsf_end() {
	exec 7>&-
	if [ -n "${bsf_pid:-}" ]; then
		timeout 10 tail --pid="$bsf_pid" -f /dev/null || kill -KILL "$bsf_pid"
	fi
	bsf_pid=
}

# The device forgets its key, so that it must ask; the MT still has the B-TID.
ask_again() {
	ksctl extdevd key forget --all
	establish
}

@test "Shows 6: nafkcd gets its key from a BSF on libfdcore over TCP, and all three agree" {
	establish --new
	echo "$btid $(naf_key "$btid" "$naf_id")" >"$keys"
	bsf_start tcp
	old=$btid
	ask_again
	[ "$scenario" = 2 ]
	[ "$btid" = "$old" ]
	three_agree
}

@test "Shows 6: nafkcd gets its key from a BSF on libfdcore over TLS, and all three agree" {
	establish --new
	echo "$btid $(naf_key "$btid" "$naf_id")" >"$keys"
	bsf_start tls
	old=$btid
	ask_again
	[ "$scenario" = 2 ]
	[ "$btid" = "$old" ]
	three_agree
}

@test "a foreign BSF's 5402 is a refusal without retry" {
	establish --new
	echo "$btid no" >"$keys"
	bsf_start tcp
	ksctl extdevd key forget --all
	run --separate-stderr ksctl --json extdevd establish
	[ "$status" -eq 4 ]
	[[ $output == *'"reason"'* ]]
	log_has nafkcd 'reason=zn-not-authorized'
}

@test "a foreign BSF's 5403 sends the device back to bootstrap" {
	establish --new
	old=$btid
	bsf_start tcp			# it knows no B-TID at all
	ksctl extdevd key forget --all
	run --separate-stderr ksctl --json extdevd establish
	[ "$status" -ne 0 ]		# the new B-TID is unknown there, too
	log_has nafkcd 'reason=zn-btid-invalid'
	kj bsfd bootstrap list | jq -e --arg b "$old" '.bootstraps[-1].btid != $b'
}

@test "a foreign BSF that goes away: unreachable; back at our own, the next establish succeeds" {
	establish --new
	bsf_start tcp
	bsf_end
	ksctl extdevd key forget --all
	run --separate-stderr ksctl --json extdevd establish
	[ "$status" -ne 0 ]
	lab stop nafkcd
	sed -i "/peer \"/,/}/ { s|address = .*|address = \"$(lab_get .bsfd.zn)\"|; /tls = /d }" "$LAB/nafkcd.conf"
	lab start nafkcd
	establish
	three_agree
}
