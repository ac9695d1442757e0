#!/usr/bin/env bats
# The local interface from outside: a device written from ARCHITECTURE 4 alone, honest and not. RULES K3 K4 K5 K8 K10 K11 U9.
load lib
setup_file() {
	mkdir -p "$LAB"
	lab_up --set mtd "local \"tls\" {
	    listen = \"unix:$LAB/tls.sock\"
	    tls = certificates
	    cert = \"$LAB/pki/zn-bsf.pem\"
	    key = \"$LAB/pki/zn-bsf.key\"
	    ca = \"$LAB/pki/ca.pem\"
	}"
}
teardown_file() { lab_down; }

client() { python3 "$ROOT/test/conform/local_client.py" "$@"; }
tcp_link() { jq -er '.mtd.local[] | select(startswith("tcp:"))' "$LAB/lab.json"; }
unix_link() { jq -er '.mtd.local[] | select(endswith("mtd-local.sock"))' "$LAB/lab.json"; }
naf() { lab_get .nafkcd.naf_id; }
runs() { kj mtd status | get .counts.ub_runs; }
keys() { kj mtd key list | jq -er "[.keys[] | select(.device_id | startswith(\"$1\"))] | length"; }
served() { client info "$(tcp_link)" urn:honest | get .ok >/dev/null; }

@test "U9 K3: a device written from the paper establishes over TCP and over a UNIX socket" {
	output=$(client establish "$(tcp_link)" "$LAB/subscriber.json" "$(naf)" urn:paper:1)
	[ "$(jq -r .scenario <<<"$output")" = 1 ]
	kcv=$(jq -r .kcv <<<"$output")
	[ "$(kcv_at mtd "$(jq -r .btid <<<"$output")" urn:paper:1)" = "$kcv" ]
	output=$(client establish "$(unix_link)" "$LAB/subscriber.json" "$(naf)" urn:paper:2)
	[ "$(jq -r .scenario <<<"$output")" = 2 ]
	[ "$(kj mtd key list | jq -r '.keys[] | select(.device_id == "urn:paper:2") | .state')" = confirmed ]
}

@test "K3: a foreign device without hello and proof gets a key, which stays unconfirmed" {
	output=$(client plain "$(tcp_link)" "$(naf)" urn:foreign)
	[ "$(kj mtd key list | jq -r '.keys[] | select(.device_id == "urn:foreign") | .state')" = derived ]
}

@test "K4: complete once more, and after mtd was killed, is ok" {
	output=$(client establish "$(tcp_link)" "$LAB/subscriber.json" "$(naf)" urn:again)
	kill -9 "$(pid_of mtd)"
	lab restart mtd >/dev/null
	output=$(client establish "$(tcp_link)" "$LAB/subscriber.json" "$(naf)" urn:again)
	[ "$(jq -r .scenario <<<"$output")" = 2 ]
	[ "$(keys urn:again)" = 1 ]
}

@test "K5: of never-used keys four stay" {
	for i in 1 2 3 4 5 6 7; do client plain "$(tcp_link)" "$(naf)" "urn:new:$i" >/dev/null; done
	[ "$(keys urn:new:)" -le 4 ]
	[ "$(keys urn:new:7)" = 1 ]
}

@test "K8: fifty devices at once cost one run" {
	lab clock +30000		# past the Ks lifetime
	before=$(runs)
	output=$(client crowd "$(tcp_link)" "$(naf)" 50)
	[ "$(sort -u <<<"$output" | wc -l)" = 1 ]
	[ "$(runs)" = $((before + 1)) ]
}

@test "K10: whatever is asked, no key comes back" {
	output=$(client listen-in "$(tcp_link)" "$LAB/subscriber.json" "$(naf)" urn:spy "$BATS_TEST_TMPDIR/heard")
	jq -r '"\(.btid) \(.naf_id) \(.device_id)"' <<<"$output" >"$BATS_TEST_TMPDIR/triples"
	[ "$(wc -c <"$BATS_TEST_TMPDIR/heard")" -gt 5000 ]
	python3 "$ROOT/test/scenario/expect.py" search "$LAB/subscriber.json" "$BATS_TEST_TMPDIR/triples" "$BATS_TEST_TMPDIR/heard"
	not grep -F "$(kcv_at mtd "$(cut -d' ' -f1 "$BATS_TEST_TMPDIR/triples")" urn:spy)" "$BATS_TEST_TMPDIR/heard"
}

@test "each misbehaviour gets its answer, and the others are served" {
	pid=$(pid_of mtd)
	for case in $(client hostile list x); do
		client hostile "$(tcp_link)" "$case" || { echo "case $case"; return 1; }
		served || { echo "not served after $case"; return 1; }
	done
	[ "$(pid_of mtd)" = "$pid" ]
	kill -0 "$pid"
	log_has mtd 'reason=local-bad-message:'
	kj mtd health | get .healthy
}

@test "a key that works is still there after all that" {
	output=$(client establish "$(tcp_link)" "$LAB/subscriber.json" "$(naf)" urn:last)
	ksctl nafkcd wait peer --timeout 20
	establish --force
	[ "$(kcv_at mtd "$btid" "$device_id")" = "$kcv" ]
}

@test "U8: a TLS link takes a device with a certificate, and names why it refuses others" {
	output=$(client establish "tls:$LAB/tls.sock:$LAB/pki/device.pem:$LAB/pki/device.key:$LAB/pki/ca.pem" "$LAB/subscriber.json" "$(naf)" urn:tls)
	not client info "tls:$LAB/tls.sock:::$LAB/pki/ca.pem" urn:tls
	log_has mtd 'reason=link-tls-no-cert:'
	not client info "unix:$LAB/tls.sock" urn:tls
	log_has mtd 'reason=link-peer-plain:'
	not client info "tls:$(unix_link | cut -d: -f2-):$LAB/pki/device.pem:$LAB/pki/device.key:$LAB/pki/ca.pem" urn:tls
	log_has mtd 'reason=link-peer-tls:'
}

@test "K11: plain TCP beyond loopback is refused before anything is bound" {
	sed 's|"tcp:127.0.0.1:0"|"tcp:0.0.0.0:0"|; /# bound: local/s|tcp:127.0.0.1:[0-9]*|tcp:0.0.0.0:0|' "$LAB/mtd.conf" |
		sed "s|$LAB/mtd/mtd.db|$BATS_TEST_TMPDIR/mtd.db|; s|control = .*|control = \"unix:$BATS_TEST_TMPDIR/c.sock\"|" |
		sed "s|^metrics.*||; s|unix:[^\"]*mtd-local.sock|unix:$BATS_TEST_TMPDIR/l.sock|" >"$BATS_TEST_TMPDIR/mtd.conf"
	for check in '' -n; do
		# shellcheck disable=SC2086 # one word or none
		status_is 1 timeout 20 "$KSLOCAL_BIN/mtd" $check -c "$BATS_TEST_TMPDIR/mtd.conf" 2>"$BATS_TEST_TMPDIR/said"
		grep "beyond loopback; expected .*insecure = yes" "$BATS_TEST_TMPDIR/said" || { cat "$BATS_TEST_TMPDIR/said"; return 1; }
	done
}
