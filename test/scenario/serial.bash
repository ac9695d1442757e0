# serial.bash: what the scenarios of serial lines share: establishment, unplugging, restarts, over a line in either state.
# A bats file says "load lib", "load tunnel" (for wait_for) and "load serial", and lab_up --link pty or noisy-pty.

mt_is() { [ "$(kj extdevd mt list | jq -r '.mts[0].up')" = "$1" ]; }
# line_of DAEMON FILTER: what it says about its serial line
line_of() { kj "$1" status | get ".serial[0] | $2"; }
line_opened() { line_of "$1" .open >/dev/null; }

scenario_1_and_2() {
	local old old_kcv
	establish --new
	[ "$scenario" = 1 ]
	three_agree
	old=$btid old_kcv=$kcv
	ksctl extdevd key forget --all
	establish
	[ "$scenario" = 2 ]
	[ "$btid" = "$old" ]
	[ "$kcv" = "$old_kcv" ]
	three_agree
	[ "$(line_of extdevd .device)" = "$(cat "$LAB/sockets")/line-device" ]
	[ "$(line_of mtd .channels)" -ge 1 ]
	log_has mtd 'link=serial//[^ #]*/line-mt conn='		# without its channel: K8's buckets
}

unplug_and_plug() {
	lab stop line
	wait_for mt_is false
	log_has extdevd 'reason=link-serial-gone'
	log_has mtd 'reason=link-serial-gone'
	not lab status >/dev/null
	status_is 3 kj extdevd establish --new >"$BATS_TEST_TMPDIR/said"
	grep -qE '"reason": "(link-serial-(gone|open)|local-gone)"' "$BATS_TEST_TMPDIR/said" || { cat "$BATS_TEST_TMPDIR/said"; return 1; }
	for _ in 1 2 3 4 5 6 7; do lab clock +70; done		# unplugged for long: neither end gets slow to notice
	lab start line
	wait_for line_opened mtd		# by itself
	wait_for mt_is true
	establish --new
	three_agree
}

mtd_again() {
	local d
	for d in mtd extdevd; do
		lab restart $d
		wait_for mt_is true
		establish --new
		three_agree
	done
	lab stop mtd KILL
	lab start mtd
	wait_for mt_is true
	establish --force
	three_agree
}

# What the line cost, for the reader of the test's output.
retransmissions() {
	local d
	for d in extdevd mtd; do
		echo "# $(line_of $d "\"$d: \(.frames_out) frames out, \(.retransmitted) of them again; \(.bad) bad in, \(.duplicates) twice in\"")" >&3
	done
}
