#!/usr/bin/env bats
# A key is used while the network is away (N10, seed 7.2): by default to its end; with a grace period until that ends; and what asking
# before use does.
load lib
load use
setup_file() { echo_start; lab_up --service "echo=$ECHO"; }
teardown_file() { echo_stop; lab_down; }

# again: both ends come back and have only what they stored
again() { lab restart mtd && lab restart extdevd; }
# offline, online: BSF and Key Center stopped, and there again
offline() { lab stop nafkcd; lab stop bsfd; }
online() { lab start bsfd; lab start nafkcd; ksctl nafkcd wait peer; }
# conf LINE: extdevd's, which is restarted
conf() {
	sed -i "/^${1%% *} = /d" "$LAB/extdevd.conf"
	printf '%s\n' "$1" >>"$LAB/extdevd.conf"
	lab restart extdevd
}

@test "N10, 7.2: As soon as Ks_local_MT is provisioned, the network is no longer involved in its usage" {
	establish
	says_back "online"
	offline
	says_back "the tunnel that stands"
	again
	says_back_soon "a tunnel that is made now"
	[ "$(kj extdevd key list | get '.keys[0].btid')" = "$btid" ]
	[ "$(kj extdevd key check | get '.keys[0].said')" = nothing ]
	online
}

@test "N10: asking before use: with the Key Center away the key may be used, with one that took it back it may not" {
	conf 'state_before_use = yes'
	says_back_soon "asked"
	offline
	again
	says_back_soon "asked in vain"
	online
	kj extdevd key list | get '.keys[0]' >"$BATS_TEST_TMPDIR/key"
	old=$(get .btid <"$BATS_TEST_TMPDIR/key")
	ksctl nafkcd key invalidate --btid "$old" --device "$(get .device_id <"$BATS_TEST_TMPDIR/key")"
	lab restart extdevd
	# it is deleted, and who wants to use one gets another (N8)
	says_back_soon "another key"
	[ "$(kj extdevd key list | get '.keys[0].btid')" != "$old" ]
	log_has extdevd 'reason=ext-key-gone'
	conf 'state_before_use = no'
}

@test "N10: a grace period closes the tunnel when nobody has stood by the key for so long, and an answer opens it again" {
	conf 'state_grace = "1h"'
	says_back_soon "within it"
	establish
	offline
	lab clock +3000
	says_back "still within it"
	lab clock +700
	until_true no_tunnels_at extdevd
	log_has extdevd 'reason=ext-key-lapsed'
	run says_back "past it"
	[ "$status" -ne 0 ]
	[ "$(kj extdevd key list | get '.keys[0].btid')" = "$btid" ]
	online
	says_back_soon "it stands by the key"
	[ "$(kj extdevd key list | get '.keys[0].btid')" = "$btid" ]
}
