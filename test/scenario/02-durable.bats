#!/usr/bin/env bats
# Durable before answered: daemons restarted and killed, at rest and in the middle of a run; the next establish succeeds by
# itself, and what was told before is still true.
load lib
setup_file() { lab_up; }
teardown_file() { lab_down; }

stores_sound() {
	local f
	for f in $(jq -r '.stores[]' "$LAB/lab.json"); do
		[ "$(sqlite3 "$f" 'PRAGMA integrity_check')" = ok ] || { echo "$f is damaged"; return 1; }
	done
}
all_run() { lab status >"$BATS_TEST_TMPDIR/status" || { cat "$BATS_TEST_TMPDIR/status"; return 1; }; }
kill9() { kill -KILL "$(pid_of "$1")"; lab stop "$1"; }

for_each_daemon() { for d in bsfd nafkcd mtd extdevd; do "$@" "$d" || { echo "with $d"; return 1; }; done; }

restart_keeps() {
	establish --new || return 1
	local old=$btid old_kcv=$kcv
	lab restart "$1" || return 1
	establish || return 1
	[ "$scenario/$btid/$kcv" = "0/$old/$old_kcv" ] || { echo "after restart: $answer"; return 1; }
	ksctl extdevd key forget --all || return 1
	establish || return 1
	[ "$scenario/$btid/$kcv" = "2/$old/$old_kcv" ] || { echo "after restart and forget: $answer"; return 1; }
	three_agree
}
@test "restart of each daemon: the key is still there, and scenario 2 gives it again" { for_each_daemon restart_keeps; }

killed_keeps() {
	establish --new || return 1
	local old=$btid old_kcv=$kcv
	kill9 "$1" || return 1
	lab start "$1" || return 1
	ksctl extdevd key forget --all || return 1
	establish || return 1
	[ "$scenario/$btid/$kcv" = "2/$old/$old_kcv" ] || { echo "after kill -9: $answer"; return 1; }
	three_agree && stores_sound
}
@test "kill -9 of each daemon: what it had told is still true" { for_each_daemon killed_keeps; }

killed_in_the_middle() {
	local after pid
	# moments spread over a run, which takes some tens of milliseconds
	for after in 0.001 0.004 0.008 0.012 0.018 0.025 0.040; do
		ksctl --json extdevd establish --new >"$BATS_TEST_TMPDIR/answer" 2>&1 3>&- &
		pid=$!
		read -r -t "$after" <> <(:) || true
		kill9 "$1"
		wait "$pid" || true
		lab start "$1" || return 1
		establish || { echo "killed after $after s"; return 1; }
		# what a run before left owed may be done in between; its key then takes the place of the one just answered
		three_agree >/dev/null || { establish && three_agree; } || { echo "killed after $after s"; return 1; }
	done
	stores_sound
}
@test "kill -9 in the middle of a run: bsfd; the next establish succeeds by itself" { killed_in_the_middle bsfd; }
@test "kill -9 in the middle of a run: nafkcd; the next establish succeeds by itself" { killed_in_the_middle nafkcd; }
@test "kill -9 in the middle of a run: mtd; the next establish succeeds by itself" { killed_in_the_middle mtd; }
@test "kill -9 in the middle of a run: extdevd; the next establish succeeds by itself" { killed_in_the_middle extdevd; }

@test "all four killed at once come back" {
	establish --new
	old=$btid
	for d in bsfd nafkcd mtd extdevd; do kill9 $d; done
	for d in bsfd nafkcd mtd extdevd; do lab start $d; done
	ksctl extdevd key forget --all
	establish
	[ "$scenario" = 2 ]
	[ "$btid" = "$old" ]
	three_agree
}

ended() { [[ $(tail -n 1 "$LAB/$1/log") == *"daemon: ended" ]] || { echo "$1:"; tail -n 8 "$LAB/$1/log"; return 1; }; }
@test "SIGTERM ends each daemon in good order: it says so last, and its socket is gone" {
	for d in extdevd mtd nafkcd bsfd; do
		lab stop $d
		ended $d
		[ ! -e "$LAB/run/$d.sock" ]
	done
	for d in bsfd nafkcd mtd extdevd; do lab start $d; done
	establish
	all_run
}
