#!/usr/bin/env bats
# NAFs on two foreign Diameter stacks ask bsfd for keys: freeDiameter's libfdcore and Erlang's diameter, over TCP and TLS (Shows 6)
load zn
setup_file() { lab_up; }
teardown_file() { lab_down; }
setup() { btid_new; }

@test "Shows 6: a NAF on libfdcore gets derive.py's key over TCP, with its life and the IMPI" {
	out=$(fd_naf tcp "$btid")
	[ "$(get .result <<<"$out")" = 2001 ]
	[ "$(get .key <<<"$out")" = "$(naf_key "$btid" "$(test_naf_id)")" ]
	[ "$(get .user_name <<<"$out")" = "$(jq -r .impi "$LAB/subscriber.json")" ]
	[ "$(get .gba_type <<<"$out")" = 0 ]
	# the same dates as bsfd's list: nothing is lost on the way through NTP seconds
	kj bsfd bootstrap list | jq -e --arg b "$btid" --argjson o "$out" \
		'.bootstraps[] | select(.btid == $b) | (.expires | fromdate) == $o.expires and (.created | fromdate) == $o.created'
}

@test "Shows 6: a NAF on libfdcore gets the same key over TLS" {
	out=$(fd_naf tls "$btid")
	[ "$(get .key <<<"$out")" = "$(naf_key "$btid" "$(test_naf_id)")" ]
	log_has bsfd 'peer=naftest\.[a-z.]* address=[^ ]* tls=yes is up'
}

@test "B3: a NAF over TLS in a name that its certificate does not carry is refused; the right name goes on" {
	run fd_naf tls "$btid" "host=$(lab_get .nafkcd.host)"
	[ "$status" -ne 0 ]
	not grep -q '"key"' <<<"$output"
	[ "$(fd_naf tls "$btid" | get .result)" = 2001 ]
}

@test "a NAF on libfdcore: 500 requests on one connection" {
	[ "$(fd_naf tcp "$btid" count=500 | get .key)" = "$(naf_key "$btid" "$(test_naf_id)")" ]
}

@test "a NAF on libfdcore: 5403 for a B-TID that nobody has, 5402 for somebody else's NAF_ID" {
	out=$(fd_naf tcp "AAAAAAAAAAAAAAAAAAAAAA==@$(lab_get .bsfd.fqdn)")
	[ "$(get .experimental <<<"$out")" = 5403 ]
	not grep -q '"key"' <<<"$out"
	out=$(fd_naf tcp "$btid" fqdn=bank.example.org)
	[ "$(get .experimental <<<"$out")" = 5402 ]
	out=$(fd_naf tcp "$btid" protocol=010001002f)
	[ "$(get .experimental <<<"$out")" = 5402 ]
	# the Key Center's own NAF_ID is not zn_test's to ask for
	out=$(fd_naf tcp "$btid" "fqdn=$(lab_get .nafkcd.naf_id | cut -d/ -f1)")
	[ "$(get .experimental <<<"$out")" = 5402 ]
}

@test "a NAF on Erlang's diameter gets derive.py's key, over TCP and over TLS, and finds no error in the answer" {
	for how in tcp tls; do
		out=$(erl_naf $how "$btid")
		[ "$(get .result <<<"$out")" = 2001 ]
		[ "$(get .errors <<<"$out")" = 0 ]
		[ "$(get .key <<<"$out")" = "$(naf_key "$btid" "$(test_naf_id)")" ]
	done
}

@test "a NAF on Erlang's diameter: 5403 and 5402, and no error found in those answers" {
	out=$(erl_naf tcp "AAAAAAAAAAAAAAAAAAAAAA==@$(lab_get .bsfd.fqdn)")
	[ "$(get .experimental <<<"$out")" = 5403 ]
	[ "$(get .errors <<<"$out")" = 0 ]
	out=$(erl_naf tcp "$btid" bank.example.org)
	[ "$(get .experimental <<<"$out")" = 5402 ]
	[ "$(get .errors <<<"$out")" = 0 ]
}

@test "the lab's own NAF Key Center went on meanwhile" {
	establish --new
	three_agree
}
