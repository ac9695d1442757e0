#!/usr/bin/env bats
# What the NAF Key Center says of a key after it gave it (N7, N9, N10), as the device hears it; and a change of SIM under a known MT_ID
# (K12). The clock is moved; nothing waits for an interval.
load lib
setup_file() { lab_up --set extdevd 'state_interval = "10m"'; }
teardown_file() { lab_down; }

eventually() { for _ in $(seq 100); do eval "$1" >/dev/null 2>&1 && return; sleep 0.1; done; echo "never: $1"; return 1; }
# said: what the Key Center said of the keys when it was asked last, newest last
said() { ksctl --json extdevd trace | jq -r '.events[] | select(.msg == "key state") | .result'; }
keys_at() { kj "$1" key list | jq '.keys | length'; }
# expires_at DAEMON: of its only key
expires_at() { kj "$1" key list | get '.keys[0].expires'; }

@test "N7: asked at an interval: 200 with an ETag the first time, 304 as long as nothing has changed" {
	establish
	three_agree
	lab clock +600
	eventually '[ "$(said | tail -n 1)" = 200 ]'
	lab clock +600
	eventually '[ "$(said | tail -n 1)" = 304 ]'
	[ "$(keys_at extdevd)" = 1 ]
	# the URL, which proxies and servers log, tells no name
	not grep -rF 'key-state?' "$LAB/nafkcd/log"
}

@test "N7: asked beside the connection with the MT" {
	before=$(said | wc -l)
	lab clock +30
	lab restart mtd
	eventually '[ "$(said | wc -l)" -gt "$before" ]'
	[ "$(said | tail -n 1)" = 304 ]
}

@test "N9, 7.2: the NAF should be able to limit the key lifetime of the established key" {
	establish
	full=$(expires_at extdevd)
	until=$(date -u -d "$(kj extdevd status | get .now) + 20 minutes" +%Y-%m-%dT%H:%M:%SZ)
	ksctl nafkcd key limit --btid "$btid" --device "$device_id" --expires "$until"
	[ "$(kj extdevd key check | get '.keys[0].said')" = good ]
	[ "$(expires_at extdevd)" = "$until" ]
	[ "$until" != "$full" ]
	log_has extdevd "the Key Center ends it at $until"
	# and so it ends
	lab clock +1201
	[ "$(keys_at extdevd)" = 0 ]
	# N8: the same B-TID would bring the same key back
	old=$btid
	establish
	[ "$btid" != "$old" ]
	three_agree
}

@test "N7, 7.2: the NAF should be able to invalidate the established key: 410, and the device deletes it" {
	establish
	ksctl nafkcd key invalidate --btid "$btid" --device "$device_id"
	[ "$(keys_at extdevd)" = 1 ]
	lab clock +600
	eventually '[ "$(keys_at extdevd)" = 0 ]'
	[ "$(said | tail -n 1)" = 410 ]
	log_has extdevd 'reason=ext-key-gone'
	status_is 1 ksctl extdevd key check
	old=$btid
	establish
	[ "$btid" != "$old" ]
	three_agree
}

@test "N7: a device that was blocked is told so of its key, and gets no other" {
	establish
	ksctl nafkcd device block "$device_id"
	status_is 1 kj extdevd key check
	[ "$(keys_at extdevd)" = 0 ]
	status_is 4 ksctl extdevd establish
	ksctl nafkcd device unblock "$device_id"
	establish
	three_agree
}

@test "N10, 7.2: once provisioned, the network is no longer involved: with BSF and Key Center stopped the key stays to its end" {
	establish
	lab stop nafkcd
	lab stop bsfd
	lab clock +600 || true
	lab clock +600 || true
	establish
	[ "$scenario" = 0 ]
	[ "$reused" = true ]
	status_is 3 ksctl extdevd key check
	[ "$(kj extdevd key check | get '.keys[0].said')" = nothing ]
	[ "$(kj extdevd key check | get '.keys[0].reason')" = http-unreachable ]
	[ "$(keys_at extdevd)" = 1 ]
	lab start bsfd
	lab start nafkcd
	ksctl nafkcd wait peer
	[ "$(kj extdevd key check | get '.keys[0].said')" = good ]
	ksctl extdevd key check
}

@test "K12: another SIM in the same MT: the key about it is refused, the old one stays, until somebody says that it is intended" {
	establish
	old=$btid mt=$mt_id
	[ "$(kj extdevd mt list | get --arg n "$naf_id" '.mts[0].sims[$n] | length')" = 22 ]
	imsi=$(get .imsi <"$LAB/subscriber.json")
	other=${imsi%????}4321
	jq --arg o "$other" --arg i "$imsi" '.imsi = $o | .impi |= sub($i; $o) | .iccid = "89882110000000009999"' \
	    "$LAB/subscriber.json" >"$LAB/other.json"
	sed "s/^imsi.*/imsi = \"$other\"/; s/^iccid.*/iccid = \"89882110000000009999\"/" "$LAB/card.conf" >"$LAB/other.conf"
	chmod 600 "$LAB/other.conf"
	ksctl bsfd subscriber add "$LAB/other.json"
	ksctl mtd uicc eject
	ksctl mtd uicc insert "$LAB/other.conf"
	eventually 'kj mtd status | jq -e ".card.state == \"ready\""'
	run kj extdevd establish --force
	[ "$status" = 4 ]
	[ "$(jq -r .error.code <<<"$output")" = mt-changed ]
	[[ $output == *"mt accept"* ]]
	[ "$(kj extdevd key list | get '.keys[0].btid')" = "$old" ]
	[ "$(keys_at extdevd)" = 1 ]
	ksctl extdevd mt accept "$mt"
	establish --force
	[ "$mt_id" = "$mt" ]
	[ "$btid" != "$old" ]
	[ "$(keys_at extdevd)" = 1 ]
	# and now the first one would be another
	ksctl mtd uicc eject
	ksctl mtd uicc insert "$LAB/card.conf"
	eventually 'kj mtd status | jq -e ".card.state == \"ready\""'
	status_is 4 ksctl extdevd establish --new
}
