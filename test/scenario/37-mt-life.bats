#!/usr/bin/env bats
# The life of a key at the MT, end to end: what the NAF Key Center says on its second port (N7, N8, N9, N10), whom the user admits (K11,
# U10), and keys for applications at both ends (U7). Seed 7.2, 7.3. The clock is moved; nothing waits for an interval.
load lib
setup_file() { lab_up --set mtd 'state_interval = "10m"' --set mtd 'device_policy = ask' --set mtd 'devices = { }' --set mtd 'ask_timeout = "60s"'; }
teardown_file() { lab_down; }
setup() { lab_whole; }

eventually() { for _ in $(seq 150); do eval "$1" >/dev/null 2>&1 && return; sleep 0.1; done; echo "never: $1"; return 1; }
keys_at() { kj "$1" key list | jq '.keys | length'; }
own_id() { kj extdevd status | get .device_id; }
# said: what the Key Center said when mtd asked it last, newest last
said() { kj mtd trace | jq -r '.events[] | select(.msg == "key state") | .result'; }
pending() { kj mtd device list | jq -r '.devices[] | select(.state == "pending") | .device_id'; }

@test "K11, U10: with device_policy = ask an unknown device waits for the user, and goes on at 'device allow'" {
	kj extdevd establish >"$BATS_TEST_TMPDIR/answer" 3>&- &
	asker=$!
	eventually '[ "$(pending)" = "$(own_id)" ]'
	[ "$(keys_at mtd)" = 0 ]
	ksctl mtd device allow "$(own_id)"
	wait $asker
	[ "$(get .scenario <"$BATS_TEST_TMPDIR/answer")" = 1 ]
	[ -z "$(pending)" ]
	# remembered, over a restart, too
	lab restart mtd
	establish --new
	three_agree
}

@test "K11: nobody answers: refused when ask_timeout is over; 'device refuse' says so at once; both with the reason" {
	ksctl mtd device refuse "$(own_id)"
	run kj extdevd establish --new
	[ "$status" = 4 ]
	[ "$(get .error.reason <<<"$output")" = mt-device-refused ]
	ksctl mtd device allow "$(own_id)"
	establish --new
	# ahead of time
	ksctl mtd device refuse urn:x:stranger
	[ "$(kj mtd device list | jq -r '.devices[] | select(.device_id == "urn:x:stranger") | .state')" = refused ]
	status_is 2 ksctl mtd device allow 'no device id'
}

@test "K11, N8: refusing a device deletes its keys; allowed again, it bootstraps anew by itself" {
	establish
	first=$btid
	[ "$(kj mtd device refuse "$(own_id)" | get .keys)" -ge 1 ]
	[ "$(keys_at mtd)" = 0 ]
	ksctl mtd device allow "$(own_id)"
	establish --force
	[ "$btid" != "$first" ]
	three_agree
}

@test "N7: the MT asks by itself: 200 first, 304 as long as nothing has changed" {
	establish --new
	before=$(said | wc -l)
	lab clock +600
	eventually '[ "$(said | wc -l)" -gt "$before" ]'
	[ "$(said | tail -n 1)" = 200 ]
	lab clock +600
	eventually '[ "$(said | tail -n 1)" = 304 ]'
	[ "$(keys_at mtd)" = 1 ]
	[ "$(kj mtd key check | get '.keys[0].said')" = good ]
}

@test "N9, 7.2: a limit by the NAF reaches the MT, which keeps the earlier date and deletes at it" {
	establish --new
	until=$(date -u -d "$(kj mtd status | get .now) + 20 minutes" +%Y-%m-%dT%H:%M:%SZ)
	ksctl nafkcd key limit --btid "$btid" --device "$device_id" --expires "$until"
	[ "$(kj mtd key check | get '.keys[0].expires')" = "$until" ]
	lab clock +1100
	[ "$(keys_at mtd)" = 1 ]
	lab clock +100
	eventually '[ "$(keys_at mtd)" = 0 ]'
	log_has mtd mt-key-limited
}

@test "N7, N8, 7.2: an invalidation by the NAF reaches the MT without the device, within the interval; the key does not come back" {
	establish --new
	first=$btid
	lab stop extdevd
	ksctl nafkcd key invalidate --btid "$btid" --device "$device_id"
	lab clock +600
	eventually '[ "$(keys_at mtd)" = 0 ]'
	[ "$(said | tail -n 1)" = 410 ]
	log_has mtd 'reason=ua-key-gone'
	lab start extdevd
	establish --force
	[ "$btid" != "$first" ]
	three_agree
}

@test "N10, 7.2: with the Key Center away the MT keeps the key to its expiry; health says whom it could not ask" {
	establish --new
	lab stop nafkcd
	status_is 3 ksctl mtd key check
	[ "$(kj mtd key check | get '.keys[0].said')" = nothing ]
	[ "$(kj mtd key check | get '.keys[0].reason')" = mt-state-away ]
	lab clock +1800
	[ "$(keys_at mtd)" = 1 ]
	status_is 1 ksctl mtd health
	lab start nafkcd
	[ "$(kj mtd key check | get '.keys[0].said')" = good ]
	ksctl mtd health
}

@test "N7: the question names nobody in its URL, and the Digest is of this key: no log and no trace shows its password" {
	establish --new
	kj mtd key check >/dev/null
	ks=$(python3 "$ROOT/test/scenario/expect.py" naf-key "$LAB/subscriber.json" "$btid" "$naf_id")
	not grep -rqF "$ks" "$LAB"/*/log "$LAB"/*/trace.jsonl
	not grep -rqF "$(xxd -r -p <<<"$ks" | base64 -w0)" "$LAB"/*/log "$LAB"/*/trace.jsonl
	not grep -rF 'key-state?' "$LAB"/*/log
}

@test "U7: both ends derive the same application key, into a new file of mode 0600" {
	establish --new
	cd "$BATS_TEST_TMPDIR"
	kj extdevd key derive --app org.example.sync --format psk --out device.psk >device.json
	kj mtd key derive --device "$device_id" --app org.example.sync --format psk --out mt.psk >mt.json
	cmp device.psk mt.psk
	[ "$(stat -c %a mt.psk device.psk | sort -u)" = 600 ]
	[[ $(cat mt.psk) =~ ^kslocal1\.[A-Za-z0-9_-]{22}\.org\.example\.sync:[0-9a-f]{64}$ ]]
	[ "$(get .kcv <device.json)" = "$(get .kcv <mt.json)" ]
	[ "$(get .identity <device.json)" = "$(cut -d: -f1 mt.psk)" ]
	[ "$(jq 'has("key")' device.json)" = false ]
	not grep -qF "$(cut -d: -f2 mt.psk)" device.json mt.json
	# hex, over a descriptor
	exec 9>hex
	ksctl extdevd key derive --app org.example.sync --fd 9 >shown
	exec 9>&-
	[ "$(cat hex)" = "$(cut -d: -f2 mt.psk)" ]
	not grep -qF "$(cat hex)" shown
	# another application, another key
	ksctl mtd key derive --device "$device_id" --app other --out other >/dev/null
	not cmp -s hex other
	not grep -rqF "$(cat hex)" "$LAB"/*/log "$LAB"/*/trace.jsonl
}

@test "U7, W5: what is refused: no place named, a file that is there, a link, a reserved id, a bad identity" {
	establish
	cd "$BATS_TEST_TMPDIR"
	status_is 2 ksctl extdevd key derive --app a
	status_is 2 ksctl extdevd key derive --app a --fd 1
	status_is 2 ksctl extdevd key derive --app kslocal-tls --out none
	status_is 2 ksctl mtd key derive --device "$device_id" --app 'two words' --format psk --out none
	status_is 2 ksctl mtd key derive --device "$device_id" --app a --format psk --identity a:b --out none
	[ ! -e none ]
	echo mine >there
	status_is 4 ksctl extdevd key derive --app a --out there
	[ "$(cat there)" = mine ]
	ln -s aim link
	status_is 4 ksctl extdevd key derive --app a --out link
	[ ! -e aim ]
	ksctl mtd key derive --device "$device_id" --app 'two words' --format psk --identity me --out named >/dev/null
	[[ $(cat named) =~ ^me:[0-9a-f]{64}$ ]]
	[ "$(kj mtd key derive --device urn:x:nobody --app a --out none 2>/dev/null | get .error.code)" = unknown-key ]
	[[ $(kj mtd key derive --device urn:x:nobody --app a --out none 2>/dev/null | get .error.text) == *'no key with urn:x:nobody'* ]]
}
