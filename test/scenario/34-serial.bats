#!/usr/bin/env bats
# U6: the local interface over a serial line, two ttys joined by 'ksctl line'.
bats_require_minimum_version 1.5.0
load lib
load tunnel
load serial
setup_file() { lab_up --link pty; }
teardown_file() { lab_down; }

@test "U6: scenarios 1 and 2 over a serial line" { scenario_1_and_2; }
@test "U6: unplugged: both ends say so; plugged in again: connected by themselves" { unplug_and_plug; }
@test "U6: mtd and extdevd begin again on a line that stays plugged in" { mtd_again; }

@test "U6: the device is one program's alone" {
	sed 's|^control = .*|control = "unix:'"$BATS_TEST_TMPDIR"'/c"|; s|^store = .*|store = "'"$BATS_TEST_TMPDIR"'/db"|; /^trace_file/d; /^metrics/d' \
		"$LAB/extdevd.conf" >"$BATS_TEST_TMPDIR/second.conf"
	"$KSLOCAL_BIN/extdevd" -c "$BATS_TEST_TMPDIR/second.conf" >/dev/null 2>"$BATS_TEST_TMPDIR/log" 3>&- &
	second=$!
	wait_for grep -q 'another program has it: reason=link-serial-open' "$BATS_TEST_TMPDIR/log"
	kill $second
	wait $second
	establish
}

@test "U6: a megabyte of garbage in the middle of it all: dropped, and the next establish works" {
	establish --new
	before=$(line_of mtd .octets_in)
	timeout 20 head -c 1000000 /dev/urandom >"$(line_of extdevd .device)"
	heard() { [ "$(line_of mtd .octets_in)" -ge $((before + 1000000)) ]; }
	wait_for heard
	[ "$(line_of mtd .bad)" -gt 100 ]
	wait_for mt_is true
	establish --new
	three_agree
	kj mtd health >/dev/null
}

@test "U8: conf/ has a sample link for each medium that the paper names (chapter 4), and each is taken" {
	for d in mtd extdevd; do
		section=local
		[ $d = mtd ] || section=mt
		samples=$BATS_TEST_TMPDIR/samples
		sed -n "/^#$section \"/,/^#}/s/^#//p" "$ROOT/conf/$d.conf" >"$samples"
		for medium in bluetooth irda usb cable; do grep -qx "$section \"$medium\" {" "$samples"; done
		grep -q '"unix:/' "$samples"
		grep -q '= "tcp:' "$ROOT/conf/$d.conf"
		sed '/^local "/,/^}/d' "$LAB/$d.conf" | cat - "$samples" >"$BATS_TEST_TMPDIR/$d.conf"
		"$KSLOCAL_BIN/$d" -n -c "$BATS_TEST_TMPDIR/$d.conf"
	done
}

@test "U6: ksctl line says what it did; its ends are gone with it" {
	"$KSLOCAL_BIN/ksctl" line "$BATS_TEST_TMPDIR/a" "$BATS_TEST_TMPDIR/b" --repeat 100000 >"$BATS_TEST_TMPDIR/out" 3>&- &
	line=$!
	wait_for grep -qx "ready line a=$BATS_TEST_TMPDIR/a b=$BATS_TEST_TMPDIR/b" "$BATS_TEST_TMPDIR/out"
	printf 'octet' >"$BATS_TEST_TMPDIR/a"
	[ "$(timeout 10 head -c 10 "$BATS_TEST_TMPDIR/b")" = oocctteett ]
	status_is 4 "$KSLOCAL_BIN/ksctl" line "$BATS_TEST_TMPDIR/out" "$BATS_TEST_TMPDIR/c" 2>"$BATS_TEST_TMPDIR/err"
	grep -q 'something that is no symbolic link' "$BATS_TEST_TMPDIR/err"
	kill $line
	wait $line
	grep -qx 'line a_to_b=5 b_to_a=0 dropped=0 repeated=5 flipped=0' "$BATS_TEST_TMPDIR/out"
	[ ! -L "$BATS_TEST_TMPDIR/a" ]
	[ ! -L "$BATS_TEST_TMPDIR/b" ]
	for bad in "" "x" "x y z" "x y --drop" "x y --drop -1" "x y --drop 60000 --flip 60000" "x y --delay 10001" "x y --colour 1"; do
		# shellcheck disable=SC2086 # words
		status_is 2 "$KSLOCAL_BIN/ksctl" line $bad 2>/dev/null
	done
}
