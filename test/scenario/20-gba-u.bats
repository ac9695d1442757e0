#!/usr/bin/env bats
# GBA_U: the same scenarios with a Ks that stays in the card (TS 33.220 5); what happens where card and BSF do not agree; and another
# card in the same phone. 01-establish shows the two scenarios with GBA_ME.
load lib
setup_file() { lab_up --gba-u; }
teardown_file() { lab_down; }

# Where mtd's store says that its Ks are: "mt" or "uicc", one a line.
ks_in() {
	python3 -c 'import sqlite3, sys
for (n,) in sqlite3.connect(sys.argv[1]).execute("SELECT ks IS NULL FROM ks"):
    print("uicc" if n else "mt")' "$LAB/mtd/mtd.db"
}
# memory_of PID: what it may read of its own memory
memory_of() {
	python3 - "$1" <<-'END'
		import sys
		with open(f"/proc/{sys.argv[1]}/maps") as maps, open(f"/proc/{sys.argv[1]}/mem", "rb", 0) as mem:
		    for line in maps:
		        area, access = line.split()[:2]
		        if access[0] == "r" and "[v" not in line:
		            start, end = (int(x, 16) for x in area.split("-"))
		            mem.seek(start)
		            sys.stdout.buffer.write(mem.read(end - start))
	END
}
runs() { kj bsfd bootstrap list | get '.bootstraps | length'; }
# gba MODE: uicc { gba } of mtd, which is restarted
gba() {
	sed -i "/^    gba = /d; s|^uicc {|&\n    gba = $1|" "$LAB/mtd.conf"
	lab restart mtd
}

@test "issue 4, Shows 1: scenario 1 with GBA_U; device, MT and Key Center hold derive.py's key" {
	establish
	[ "$scenario" = 1 ]
	three_agree
	[ "$(ks_in)" = uicc ]
	[ "$(kj bsfd bootstrap list | get --arg b "$btid" '.bootstraps[] | select(.btid == $b) | .type')" = GBA_U ]
	[ "$(kj mtd status | get .ks_in)" = uicc ]
	[ "$(kj mtd status | get .card.procedure)" = GBA_U ]
	[ "$(kj mtd key list | get --arg b "$btid" '.keys[] | select(.btid == $b) | .state')" = confirmed ]
}

@test "issue 4, Shows 1: scenario 2 with GBA_U: the same B-TID, the same key" {
	establish
	old=$btid old_kcv=$kcv
	ksctl extdevd key forget --all
	establish
	[ "$scenario" = 2 ]
	[ "$btid" = "$old" ]
	[ "$kcv" = "$old_kcv" ]
	three_agree
}

@test "issue 4, Shows 1: neither Ks nor Ks_int_NAF, nor what they come of, is in anything that mtd wrote" {
	establish --new
	printf '%s %s %s\n' "$btid" "$naf_id" "$device_id" >"$BATS_TEST_TMPDIR/triples"
	python3 "$ROOT/test/scenario/expect.py" search "$LAB/subscriber.json" "$BATS_TEST_TMPDIR/triples" "$LAB"/mtd/* "$LAB/card.conf.state"
}

@test "issue 4, Shows 1: nor is it in mtd's memory; it is in the card's process" {
	[ "$(id -u)" -eq 0 ] || skip "only root may read a daemon's memory"
	[[ $KSLOCAL_BIN != *san* ]] || skip "a sanitizer's shadow is too large to be searched"
	establish --new
	establish --force
	printf '%s %s %s\n' "$btid" "$naf_id" "$device_id" >"$BATS_TEST_TMPDIR/triples"
	memory_of "$(pid_of mtd)" >"$BATS_TEST_TMPDIR/mtd"
	memory_of "$(pgrep -P "$(pid_of mtd)")" >"$BATS_TEST_TMPDIR/card"
	grep -qF "$btid" "$BATS_TEST_TMPDIR/mtd"
	python3 "$ROOT/test/scenario/expect.py" search "$LAB/subscriber.json" "$BATS_TEST_TMPDIR/triples" "$BATS_TEST_TMPDIR/mtd"
	run python3 "$ROOT/test/scenario/expect.py" search "$LAB/subscriber.json" "$BATS_TEST_TMPDIR/triples" "$BATS_TEST_TMPDIR/card"
	[ "$status" -eq 1 ]
	[[ $output == *": Ks (raw)"* ]]
	[[ $output == *": Ks_int_NAF (raw)"* ]]
}

@test "GBA_U: after a restart mtd goes on with the Ks in the card; with an empty store, too (EF_GBABP)" {
	establish --new
	old=$btid n=$(runs)
	lab restart mtd
	ksctl extdevd key forget --all
	establish
	[ "$scenario" = 2 ]
	[ "$btid" = "$old" ]
	lab stop mtd
	rm -f "$LAB"/mtd/mtd.db*
	lab start mtd
	[ "$(kj mtd status | get .btid)" = "$old" ]
	ksctl extdevd key forget --all
	establish
	[ "$btid" = "$old" ]
	[ "$(runs)" = "$n" ]
	three_agree
}

@test "GBA_U refused by policy: the BSF marks the subscriber, so its AUTN* is no AUTN for the card" {
	gba me
	[ "$(kj mtd status | get .card.procedure)" = GBA_ME ]
	status_is 4 ksctl mtd bootstrap
	log_has mtd 'reason=bsf-autn:'
	gba u
	establish --new
	three_agree
}

@test "C2: the card is out: its key may be used, nothing is derived; put back, its own Ks goes on" {
	establish --new
	old=$btid n=$(runs)
	ksctl mtd uicc eject
	[ "$(ks_in)" = '' ]
	[ "$(kj mtd key list | get --arg b "$old" '.keys[] | select(.btid == $b) | .state')" = confirmed ]
	establish
	[ "$scenario" = 0 ]
	run kj extdevd establish --new
	[ "$(get .error.code <<<"$output")" = no-uicc ]
	ksctl mtd uicc insert "$LAB/card.conf"
	ksctl extdevd key forget --all
	establish
	[ "$btid" = "$old" ]
	[ "$(runs)" = "$n" ]
	three_agree
}

@test "C2: another card, found at start: the old one's keys are gone, also from the store's bytes; establish --force makes a new one" {
	establish
	old=$btid
	printf '%s %s %s\n' "$btid" "$naf_id" "$device_id" >"$BATS_TEST_TMPDIR/triples"
	lab stop mtd
	sed -i 's/^iccid = .*/iccid = "89880000000000000017"/' "$LAB/card.conf"
	rm "$LAB/card.conf.state"		# another card has other counters
	lab start mtd
	[ "$(kj mtd key list | get '.keys | length')" = 0 ]
	lab stop mtd
	not grep -lF "$old" "$LAB"/mtd/mtd.db*
	python3 "$ROOT/test/scenario/expect.py" search "$LAB/subscriber.json" "$BATS_TEST_TMPDIR/triples" "$LAB"/mtd/mtd.db*
	lab start mtd
	establish --force
	[ "$btid" != "$old" ]
	three_agree
}

@test "GBA_ME by auto on a card without the service; and where only the BSF does GBA_U, the reason says so" {
	sed -i '/^usim/d' "$LAB/card.conf"
	lab restart mtd
	gba auto
	[ "$(kj mtd status | get .card.procedure)" = GBA_ME ]
	status_is 4 ksctl mtd bootstrap
	log_has mtd 'reason=bsf-autn:'
	gba u
	[ "$(kj mtd status | get .card.procedure)" = none ]
	status_is 4 ksctl mtd bootstrap
	log_has mtd 'reason=card-no-gba-u:'
}
