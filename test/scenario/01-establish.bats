#!/usr/bin/env bats
# Scenario 1 (seed 8.3.1, 18 steps) and scenario 2 (8.3.2, 16 steps) with four processes over real sockets.
load lib
setup_file() { lab_up; }
teardown_file() { lab_down; }

@test "Shows 3: establish runs scenario 1; device, MT and Key Center hold derive.py's key" {
	establish
	[ "$scenario" = 1 ]
	[ "$reused" = false ]
	[ "$naf_id" = "$(lab_get .nafkcd.naf_id)" ]
	[[ $btid == *@$(lab_get .bsfd.fqdn) ]]
	[[ $expires =~ ^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z$ ]]
	[[ $mt_id =~ ^[0-9a-f]{32}$ ]]
	three_agree
}

@test "K9: a valid key is not fetched again: exit 0, scenario 0, reused, the same members" {
	establish
	first=$btid/$kcv/$expires
	establish
	[ "$scenario" = 0 ]
	[ "$reused" = true ]
	[ "$btid/$kcv/$expires" = "$first" ]
	[ -n "$naf_id" ]
	[ -n "$device_id" ]
	[ -n "$mt_id" ]
}

@test "Shows 3: after key forget --all, scenario 2 with the same B-TID and the same key" {
	establish
	old=$btid old_kcv=$kcv
	ksctl extdevd key forget --all
	[ "$(kj extdevd key list | get '.keys | length')" = 0 ]
	establish
	[ "$scenario" = 2 ]
	[ "$reused" = false ]
	[ "$btid" = "$old" ]
	[ "$kcv" = "$old_kcv" ]	# derivation is deterministic
	three_agree
}

@test "K9: --force fetches the key again, --new bootstraps anew; each time the three agree" {
	establish
	old=$btid
	establish --force
	[ "$reused" = false ]
	[ "$scenario" = 2 ]
	[ "$btid" = "$old" ]
	three_agree
	establish --new
	[ "$scenario" = 1 ]
	[ "$btid" != "$old" ]
	three_agree
}

@test "K2 K3: the MT's key is confirmed by the proof in complete" {
	establish --new
	[ "$(kj mtd key list | get --arg b "$btid" '.keys[] | select(.btid == $b) | .state')" = confirmed ]
}

@test "K7: the B-TID of a new bootstrapping replaces the older one for derivations" {
	establish --new
	newest=$btid
	ksctl extdevd key forget --all
	establish
	[ "$scenario" = 2 ]
	[ "$btid" = "$newest" ]
}

@test "Zn: the lifetime told to the device is not beyond the Ks's at the BSF and at the MT (7.2)" {
	establish --new
	at_bsf=$(kj bsfd bootstrap list | get --arg b "$btid" '.bootstraps[] | select(.btid == $b) | .expires')
	at_mt=$(kj mtd key list | get --arg b "$btid" '.keys[] | select(.btid == $b) | .expires')
	at_naf=$(kj nafkcd key list | get --arg b "$btid" '.keys[] | select(.btid == $b) | .expires')
	[ "$at_mt" = "$at_bsf" ]
	[ "$expires" = "$at_naf" ]
	[[ ! $expires > $at_bsf ]]
}

@test "audit: the Key Center has a row for the key it gave" {
	establish --new
	kj nafkcd audit | get --arg b "$btid" --arg d "$device_id" 'any(.audit[]; .btid == $b and .device_id == $d)'
}

@test "S1: the ladder numbers scenario 1 from 1 to 18, all four daemons in it" {
	establish --new
	run ksctl ladder --run "$run"
	[ "$status" -eq 0 ]
	for n in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18; do
		grep -qE "(^|[^0-9])$n([^0-9]|\$)" <<<"$output" || { echo "step $n is missing"; echo "$output"; return 1; }
	done
	kj ladder --run "$run" >"$BATS_TEST_TMPDIR/ladder"
	[ "$(jq -r '[.events[].step] | unique | map(select(. > 0)) | join(" ")' "$BATS_TEST_TMPDIR/ladder")" = "$(seq -s ' ' 1 18)" ]
	[ "$(jq -r '[.events[].daemon] | unique | join(" ")' "$BATS_TEST_TMPDIR/ladder")" = "bsfd extdevd mtd nafkcd" ]
}

@test "S1: the ladder numbers scenario 2 from 1 to 16" {
	establish --new
	ksctl extdevd key forget --all
	establish
	[ "$scenario" = 2 ]
	kj ladder --run "$run" >"$BATS_TEST_TMPDIR/ladder"
	[ "$(jq -r '[.events[].step] | unique | map(select(. > 0)) | join(" ")' "$BATS_TEST_TMPDIR/ladder")" = "$(seq -s ' ' 1 16)" ]
}

@test "health: nothing is wrong, but the controlled clock is said loudly (T3)" {
	for d in bsfd nafkcd mtd extdevd; do
		run ksctl --json "$d" health
		[[ $output == *controlled* ]] || { echo "$d: $output"; return 1; }
	done
}
