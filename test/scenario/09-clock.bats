#!/usr/bin/env bats
# Time: the controlled clock of a lab (T3), keys that vanish at both ends when their time comes (T1), clock jumps (T2).
load lib
setup() { LAB=$BATS_TEST_TMPDIR/lab XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/user; mkdir -p "$XDG_RUNTIME_DIR"; }
teardown() { lab down; not grep -HnE 'Sanitizer|runtime error:|Assertion' "$LAB"/*/log; }
up() { lab up "$@" >"$BATS_TEST_TMPDIR/up.log" 2>&1 || { cat "$BATS_TEST_TMPDIR/up.log"; return 1; }; }
keys_at() { kj "$1" key list | get '.keys | length'; }
now() { date -u -d "$(kj "$1" status | get .now)" +%s; }

@test "T3: lab clock moves all four and returns when due timers have run" {
	up
	for d in bsfd nafkcd mtd extdevd; do before[${#before[@]}]=$(now $d); done
	lab clock +3600
	i=0
	for d in bsfd nafkcd mtd extdevd; do
		moved=$(($(now $d) - before[i++]))
		[ $moved -ge 3600 ] && [ $moved -lt 3620 ] || { echo "$d moved by $moved"; return 1; }
	done
}

@test "T1: a key and its Ks vanish at device, MT, Key Center and BSF when their time comes; the next establish bootstraps anew" {
	up --set bsfd 'ks_lifetime = "10m"'
	establish
	old=$btid
	lab clock +590
	establish
	[ "$scenario" = 0 ]
	[ "$btid" = "$old" ]
	lab clock +11
	for d in extdevd mtd nafkcd; do [ "$(keys_at $d)" = 0 ] || { echo "$d: $(kj $d key list)"; return 1; }; done
	[ "$(kj bsfd bootstrap list | get '.bootstraps | length')" = 0 ]
	establish
	[ "$scenario" = 1 ]
	[ "$btid" != "$old" ]
	three_agree
	# deleted, not only hidden
	lab clock +2
	for d in extdevd mtd nafkcd; do
		# nafkcd's audit keeps the names of what was given, and no key
		[ "$(sqlite3 "$LAB/$d/$d.db" .dump | grep -v 'INTO audit ' | grep -cF "${old%%=*}")" = 0 ] || { echo "$d's store still names $old"; return 1; }
	done
}

@test "K7: a Ks with less than ks_min_left counts as none: scenario 1 although it is not yet over" {
	up --set bsfd 'ks_lifetime = "10m"'
	establish
	old=$btid
	lab clock +560
	establish
	[ "$scenario" = 0 ]
	ksctl extdevd key forget --all
	establish
	[ "$scenario" = 1 ]
	[ "$btid" != "$old" ]
	three_agree
}

@test "7.2: the Key Center's own limit ends the key at the device before the Ks ends" {
	up --set bsfd 'ks_lifetime = "2h"' --set nafkcd 'key_lifetime_max = "10m"'
	establish
	lab clock +601
	[ "$(keys_at extdevd)" = 0 ]
	[ "$(keys_at nafkcd)" = 0 ]
	[ "$(keys_at mtd)" = 1 ]	# the MT's inherits the Ks's lifetime
}

@test "T2: a clock that went back revives no key: daemons restarted an hour earlier keep what they had decided" {
	up --set bsfd 'ks_lifetime = "10m"'
	establish
	lab clock +601
	for d in extdevd mtd nafkcd; do [ "$(keys_at $d)" = 0 ]; done
	rm "$LAB/clock"		# lab would bring the clock forward again
	for d in bsfd nafkcd mtd extdevd; do lab restart $d; done
	for d in extdevd mtd nafkcd; do [ "$(keys_at $d)" = 0 ] || { echo "$d: $(kj $d key list)"; return 1; }; done
	[ "$(kj bsfd bootstrap list | get '.bootstraps | length')" = 0 ]
	establish
	[ "$scenario" = 1 ]
	three_agree
}

@test "T3: a daemon that is restarted comes back at the lab's time" {
	up
	lab clock +7200
	lab restart mtd
	a=$(now mtd)
	b=$(now bsfd)
	[ $((a > b ? a - b : b - a)) -le 2 ]
	establish
	three_agree
}

@test "T2: a jump beyond clock_step_max: no new keys, nothing deleted, health says so; clock accept goes on" {
	up
	establish
	for d in bsfd nafkcd mtd extdevd; do ksctl $d clock step 172800; done
	run ksctl --json extdevd establish --new
	[ "$status" -ne 0 ]
	[[ $output == *clock-jumped* ]] || { echo "$output"; return 1; }
	for d in extdevd mtd nafkcd; do
		[ "$(keys_at $d)" = 1 ] || { echo "$d: $(kj $d key list)"; return 1; }
		status_is 1 ksctl $d health
	done
	# the clock returns: all is as before
	for d in bsfd nafkcd mtd extdevd; do ksctl $d clock step -172800; done
	establish
	[ "$scenario" = 0 ]
	# it was right: accepted
	for d in bsfd nafkcd mtd extdevd; do
		ksctl $d clock step 172800
		ksctl $d clock accept
		ksctl $d health
	done
	establish
	[ "$scenario" = 1 ]
	three_agree
}
