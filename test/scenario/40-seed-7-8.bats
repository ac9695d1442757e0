#!/usr/bin/env bats
# The life of a key, sentence by sentence: the seed paper's chapters 7.2, 7.3, 7.5, 7.6 and 8.1. Each test's title is the sentence
# it holds, shortened. Nothing here waits for a time: the clock is moved.
load lib
load use
setup() {
	LAB=$BATS_TEST_TMPDIR/lab XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/user
	mkdir -p "$XDG_RUNTIME_DIR"
	echo_start
}
teardown() {
	lab down
	echo_stop
	not grep -HnE 'Sanitizer|runtime error:|Assertion|fatal:' "$LAB"/*/log
}
up() { lab up --service "echo=$ECHO" "$@" >"$BATS_TEST_TMPDIR/up.log" 2>&1 || { cat "$BATS_TEST_TMPDIR/up.log"; return 1; }; }

# --- 7.2 Key lifetime

@test "7.2: once the key is provisioned, the network is no longer involved in its use" {
	up
	establish
	lab stop nafkcd
	lab stop bsfd
	says_back "no network"
	lab restart extdevd
	lab restart mtd
	says_back "and after both began again"
}

@test "7.2: the NAF can limit the lifetime of an established key: both ends keep the earlier date" {
	up
	establish
	soon=$(date -u -d "@$(($(now nafkcd) + 3600))" +%Y-%m-%dT%H:%M:%SZ)
	ksctl nafkcd key limit --btid "$btid" --device "$device_id" --expires "$soon"
	ksctl extdevd key check
	ksctl mtd key check
	for d in nafkcd extdevd mtd; do [ "$(key_at $d .expires)" = "$soon" ] || { echo "$d: $(kj $d key list)"; return 1; }; done
	# never lengthened
	later=$(date -u -d "@$(($(now nafkcd) + 7200))" +%Y-%m-%dT%H:%M:%SZ)
	status_is 4 ksctl nafkcd key limit --btid "$btid" --device "$device_id" --expires "$later"
	lab clock +3601
	for d in nafkcd extdevd mtd; do [ "$(keys_at $d)" = 0 ] || { echo "$d: $(kj $d key list)"; return 1; }; done
}

@test "7.2: the NAF can invalidate an established key" {
	up
	establish
	ksctl nafkcd key invalidate --btid "$btid" --device "$device_id"
	status_is 1 has_key nafkcd
	status_is 1 ksctl extdevd key check
	status_is 1 ksctl mtd key check
	status_is 1 has_key extdevd
	status_is 1 has_key mtd
}

@test "7.2, device: the NAF sends the key and its lifetime; it is an expiry date" {
	up --set nafkcd 'key_lifetime_max = "30m"'
	establish
	[ "$(key_at extdevd .expires)" = "$expires" ]
	[ "$(key_at nafkcd .expires)" = "$expires" ]
	left=$(($(date -u -d "$expires" +%s) - $(now nafkcd)))
	[ $left -gt 1780 ]
	[ $left -le 1800 ]
}

@test "7.2, device: the check of the lifetime is under the device's own control" {
	up --set nafkcd 'key_lifetime_max = "30m"'
	establish
	for d in nafkcd bsfd mtd; do lab stop $d; done
	ksctl extdevd clock advance 1801
	[ "$(keys_at extdevd)" = 0 ]
}

@test "7.2, device: at its expiry the key and its parameters are always deleted, after a stop past it, too" {
	up --set nafkcd 'key_lifetime_max = "30m"'
	establish
	says_back "while it lives"
	lab stop extdevd
	lab clock +1802
	lab start extdevd
	[ "$(keys_at extdevd)" = 0 ]
	nothing_of extdevd "$btid"
}

@test "7.2, MT: the BSF sends the Ks lifetime, the key inherits it; it is an expiry date" {
	up --set bsfd 'ks_lifetime = "40m"' --set nafkcd 'key_lifetime_max = "10m"'
	establish
	ks=$(kj bsfd bootstrap list | get --arg b "$btid" '.bootstraps[] | select(.btid == $b) | .expires')
	[ "$(key_at mtd .expires)" = "$ks" ]
	[ "$(key_at extdevd .expires)" != "$ks" ]
}

@test "7.2, MT: the check of the lifetime is under the MT's own control" {
	up --set bsfd 'ks_lifetime = "40m"'
	establish
	for d in nafkcd bsfd extdevd; do lab stop $d; done
	ksctl mtd clock advance 2401
	[ "$(keys_at mtd)" = 0 ]
}

@test "7.2, MT: at its expiry the key and its parameters are always deleted, after a stop past it, too" {
	up --set bsfd 'ks_lifetime = "40m"'
	establish
	lab stop mtd
	lab clock +2402
	lab start mtd
	[ "$(keys_at mtd)" = 0 ]
	nothing_of mtd "$btid"
}

@test "7.2: live tunnels on a key that expires are closed at both ends" {
	up --set nafkcd 'key_lifetime_max = "30m"' --set extdevd 'renew_at = 0'
	establish
	says_back "while it lives"
	[ "$(tunnels_at extdevd)" = 1 ]
	lab stop nafkcd		# nobody helps
	lab clock +1801
	until_true no_tunnels
}

# --- 7.3 Use, 8.1 Initiation

@test "7.3, 8.1: a device that has a key for the MT attempts to use it" {
	up
	establish
	lab restart extdevd
	until_true secured
	[ "$(runs)" = 1 ]
	says_back "with the key that was there"
	[ "$(key_at extdevd .btid)" = "$btid" ]
}

@test "7.3, 8.1: it does not know that the MT deleted its key: after that error it initiates an establishment by itself" {
	up
	establish
	old=$btid
	mt_forgets
	says_back_soon "with a key that was made for it"
	log_has extdevd 'unknown-key'
	[ "$(key_at extdevd .kcv)" = "$(key_at mtd .kcv)" ]
	[ "$(key_at extdevd .kcv)" = "$(expected_kcv "$(key_at extdevd .btid)" "$naf_id" "$device_id")" ]
}

@test "7.3: an MT that has a key for the device attempts to use it" {
	up --set extdevd 'renew_at = 0' --set extdevd 'mt.use_on_connect = none'
	establish
	ksctl mtd use "$device_id"
	[ "$(tunnels_at mtd)" = 1 ]
	[ "$(key_at mtd .btid)" = "$btid" ]
}

@test "7.3: it does not know that the device deleted its key: after that error it triggers the device to send a new request" {
	up --set extdevd 'mt.use_on_connect = none'
	establish
	ksctl extdevd key forget --all
	ksctl mtd use "$device_id" || true
	log_has mtd 'renew'
	ksctl extdevd wait key --timeout 20
	until_true confirmed
	[ "$(key_at extdevd .kcv)" = "$(key_at mtd .kcv)" ]
}

# --- 7.5 Storage

@test "7.5, MT: ICC_ID, B-TID, NAF_ID, the key (by its check value), lifetime and Device_ID are stored" {
	up
	establish
	[ "$(key_at mtd .icc_id)" = "$(get .iccid <"$LAB/subscriber.json")" ]
	[ "$(key_at mtd .btid)" = "$btid" ]
	[ "$(key_at mtd .naf_id)" = "$naf_id" ]
	[ "$(key_at mtd .kcv)" = "$(expected_kcv "$btid" "$naf_id" "$device_id")" ]
	[ -n "$(key_at mtd .expires)" ]
	[ "$(key_at mtd .device_id)" = "$device_id" ]
}

@test "7.5, MT: a new UICC deletes all data of the old one, and closes its tunnels" {
	up
	establish
	says_back "before"
	ksctl mtd uicc eject
	other_card >"$LAB/other.conf"
	chmod 600 "$LAB/other.conf"
	ksctl mtd uicc insert "$LAB/other.conf"
	[ "$(keys_at mtd)" = 0 ]
	nothing_of mtd "$btid"
	until_true no_tunnels_at mtd
}

@test "7.5, device: B-TID, NAF_ID, the key (by its check value) and its lifetime are stored" {
	up
	establish
	[ "$(key_at extdevd .btid)" = "$btid" ]
	[ "$(key_at extdevd .naf_id)" = "$naf_id" ]
	[ "$(key_at extdevd .kcv)" = "$(expected_kcv "$btid" "$naf_id" "$device_id")" ]
	[ "$(key_at extdevd .expires)" = "$expires" ]
}

# --- 7.6

@test "7.6: the most recent B-TID and Ks are used for derivations; a key of the older Ks stays valid with its own lifetime" {
	up
	establish
	old=$btid old_expires=$(key_at mtd .expires)
	ksctl mtd bootstrap
	newest=$(kj mtd status | get .btid)
	[ "$newest" != "$old" ]
	[ "$(key_at mtd .expires)" = "$old_expires" ]
	says_back "on the key of the older Ks"
	establish --force
	[ "$btid" = "$newest" ]
	three_agree
}
