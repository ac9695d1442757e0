#!/usr/bin/env bats
# A key's life at the Key Center, judged by curl: invalidated, limited, blocked; what the device's port and the MT's port say of it.
# RULES N1, N3, N5, N7, N8, N9; seed 7.2
load lib
setup_file() { lab_up; }
teardown_file() { lab_down; }

naf_fqdn() { lab_get .nafkcd.naf_id | sed 's|/.*||'; }
port_of() { lab_get ".nafkcd.$1" | sed 's|.*:\([0-9]*\)/.*|\1|'; }
# state ua|ua_mt [CURL OPTION]…: GET key-state there; status to $code, body to $body, headers in head
state() {
	local port
	port=$(port_of "$1")
	code=$(curl -sS --max-time 20 --cacert "$LAB/pki/ca.pem" --connect-to "$(naf_fqdn):443:127.0.0.1:$port" -o "$BATS_TEST_TMPDIR/body" \
		-D "$BATS_TEST_TMPDIR/head" -w '%{http_code}' -H "X-KSLocal-Device-ID: $device_id" "${@:2}" \
		"https://$(naf_fqdn)/keycentre/v1/key-state")
	body=$(cat "$BATS_TEST_TMPDIR/body" 2>/dev/null || true)
	rm -f "$BATS_TEST_TMPDIR/body"
}
device_asks() { state ua --cert "$LAB/pki/device.pem" --key "$LAB/pki/device.key" -H "X-KSLocal-BTID: $btid" "$@"; }
# as an MT that holds Ks_(ext)_NAF, which derive.py works out
mt_asks() {
	local ks
	ks=$(python3 "$ROOT/test/scenario/expect.py" naf-key "$LAB/subscriber.json" "$btid" "$naf_id" | xxd -r -p | base64 -w0)
	state ua_mt --digest -u "$btid:$ks" "$@"
}
header() { sed -n "s/^$1: *\\(.*\\)\\r\$/\\1/Ip" "$BATS_TEST_TMPDIR/head" | tail -n 1; }
lifetime() { sed -n 's|.*<keyLifetime>\(.*\)</keyLifetime>.*|\1|p' <<<"$body"; }
reason() { sed -n 's|.*<reason>\(.*\)</reason>.*|\1|p' <<<"$body"; }
is() { [ "$code $(reason)" = "$1 $2" ] || { echo "$code $(reason), not $1 $2: $body"; return 1; }; }
spki_of() { openssl x509 -in "$1" -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum | cut -d' ' -f1; }
bir_count() { kj bsfd status | get .zn_requests; }
xml() {
	printf '<keyRequest xmlns="urn:x-kslocal:ua:1"><btid>%s</btid><deviceId>%s</deviceId></keyRequest>' "$btid" "$device_id"
}
post() {
	code=$(curl -sS --max-time 20 --cacert "$LAB/pki/ca.pem" --cert "$LAB/pki/device.pem" --key "$LAB/pki/device.key" \
		--connect-to "$(naf_fqdn):443:127.0.0.1:$(port_of ua)" -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' \
		-H 'Content-Type: application/xml' --data-binary "$(xml)" "https://$(naf_fqdn)/keycentre/v1/key-request")
	body=$(cat "$BATS_TEST_TMPDIR/body")
}
# an instant SECONDS from the Key Center's now
in_s() { date -u -d "$(kj nafkcd clock | get .now) +$1 seconds" +%Y-%m-%dT%H:%M:%SZ; }

@test "N7: both ports tell the lifetime and an ETag, then 304; the MT's by curl's own Digest" {
	establish --new
	for who in device_asks mt_asks; do
		$who
		[ "$code" = 200 ] || { echo "$who: $code $body"; return 1; }
		[ "$(lifetime)" = "$expires" ]
		etag=$(header ETag)
		[ -n "$etag" ]
		$who -H "If-None-Match: \"0\", W/$etag"
		[ "$code" = 304 ] || { echo "$who: $code $body"; return 1; }
		[ -z "$body" ]
		[ "$(header ETag)" = "$etag" ]
		lab restart nafkcd
		$who -H "If-None-Match: $etag"
		[ "$code" = 304 ]
		$who -X POST
		[ "$code" = 405 ]
		[ "$(header Allow)" = GET ]
	done
}

@test "N7: the second port wants no certificate, speaks TLS with the NAF's name, and challenges for its realm" {
	establish
	state ua_mt
	is 401 bootstrap-again
	[[ $(header WWW-Authenticate) == *"realm=\"3GPP-bootstrapping@$(naf_fqdn)\""*'qop="auth,auth-int"'*algorithm=MD5* ]]
	mt_asks -H "X-KSLocal-BTID: $btid"
	[ "$code" = 200 ]
	[[ $(header Authentication-Info) == *rspauth=* ]]
	timeout 10 openssl s_client -connect "127.0.0.1:$(port_of ua_mt)" -servername "$(naf_fqdn)" -verify_hostname "$(naf_fqdn)" \
		-CAfile "$LAB/pki/ca.pem" -verify_return_error </dev/null >"$BATS_TEST_TMPDIR/tls" 2>&1
	grep -q 'No client certificate CA names sent' "$BATS_TEST_TMPDIR/tls"
	# a Key Request is not for this port
	code=$(curl -sS -o /dev/null -w '%{http_code}' --cacert "$LAB/pki/ca.pem" --connect-to "$(naf_fqdn):443:127.0.0.1:$(port_of ua_mt)" \
		-H 'Content-Type: application/xml' --data-binary "$(xml)" "https://$(naf_fqdn)/keycentre/v1/key-request")
	[ "$code" = 404 ]
}

@test "N7: a stranger with a B-TID and no key: 401, and of one that no key was given for the BSF never hears" {
	establish
	before=$(bir_count)
	state ua_mt --digest -u "AAAAAAAAAAAAAAAAAAAAAA==@bsf.example.org:x"
	is 401 bootstrap-again
	[ "$(bir_count)" = "$before" ]
	unknown=$body
	state ua_mt --digest -u "$btid:x"
	is 401 bootstrap-again
	[ "$body" = "$unknown" ]
	mt_asks -H 'X-KSLocal-BTID: someone@bsf.example.org'
	is 404 not-found
	mine=$device_id device_id=urn:other
	mt_asks
	is 404 not-found
	device_id=$mine
}

@test "N8: key invalidate: both ports say 410, the same request does not bring the key back, a new bootstrapping does" {
	establish --new
	ksctl nafkcd key invalidate --btid "$btid" --device "$device_id"
	device_asks
	is 410 gone
	mt_asks
	is 410 gone
	before=$(bir_count)
	post
	is 403 bootstrap-again
	[ "$(bir_count)" = "$before" ]
	[ "$(kj nafkcd key list | get --arg b "$btid" '[.keys[] | select(.btid == $b)] | length == 0')" = true ]
	[ "$(kj nafkcd key list --all | get --arg b "$btid" '.keys[] | select(.btid == $b) | .state')" = invalidated ]
	status_is 1 ksctl nafkcd key invalidate --btid "$btid" --device "$device_id"
	establish --new
	device_asks
	[ "$code" = 200 ]
	lab restart nafkcd
	post
	[ "$code" = 200 ]
}

@test "N9: key limit shortens, never lengthens; both ports, the repeated request and the audit tell" {
	establish --new
	device_asks
	etag=$(header ETag)
	until=$(in_s 3600)
	ksctl nafkcd key limit --btid "$btid" --device "$device_id" --naf "$(naf_fqdn)" --expires "$until"
	for who in device_asks mt_asks; do
		$who -H "If-None-Match: $etag"
		[ "$code" = 200 ]
		[ "$(lifetime)" = "$until" ]
	done
	post
	[ "$code" = 200 ]
	[ "$(lifetime)" = "$until" ]
	status_is 4 ksctl nafkcd key limit --btid "$btid" --device "$device_id" --expires "$(in_s 7200)"
	status_is 2 ksctl nafkcd key limit --btid "$btid" --device "$device_id"
	ksctl nafkcd device limit "$device_id" --expires "$(in_s 1800)"
	[ "$(kj nafkcd audit | get '[.audit[] | select(.event == "key-limited")][-1] | .was + " " + .expires')" = "$expires $until" ] ||
		{ kj nafkcd audit --limit 5; return 1; }
}

@test "N1, N5: a block by certificate: keys gone at once, 403 and closed on the kept and on the resumed connection" {
	establish --new
	hex=$(spki_of "$LAB/pki/device.pem")
	[ "$(kj nafkcd key list | get --arg b "$btid" '.keys[] | select(.btid == $b) | .spki')" = "$hex" ]
	run "$ROOT/test/scenario/kept.py" "$LAB" "$(xml)" "$KSLOCAL_BIN/ksctl" --lab "$LAB" nafkcd device block --spki "$hex"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	[ "${lines[0]}" = "first 200 - open full" ]
	[ "${lines[1]}" = "kept 403 refused closed full" ]
	[ "${lines[2]}" = "resumed 403 refused closed resumed" ] || { echo "${lines[2]}"; return 1; }
	device_asks
	is 410 gone
	mt_asks
	is 410 gone
	[ "$(kj nafkcd block list | get '.blocks | map(.kind + " " + .value) | join(",")')" = "spki $hex" ]
	log_has nafkcd 'reason=ua-key-blocked'
	ksctl nafkcd device unblock --spki "$hex"
	status_is 4 ksctl nafkcd device unblock --spki "$hex"
	establish --new
}

@test "N1: a block by issuer: the CA that signed the device's certificate" {
	establish --new
	hex=$(spki_of "$LAB/pki/ca.pem")
	ksctl nafkcd device block --issuer "$hex"
	post
	is 403 refused
	log_has nafkcd 'reason=ua-issuer-blocked'
	device_asks
	is 410 gone
	mt_asks
	is 410 gone
	ksctl nafkcd device unblock --issuer "$hex"
	post
	is 403 bootstrap-again
	establish --new
}

@test "SIGHUP renews the second port's certificate too" {
	establish
	serial() {
		openssl s_client -connect "127.0.0.1:$(port_of ua_mt)" -servername "$(naf_fqdn)" </dev/null 2>/dev/null | openssl x509 -noout -serial
	}
	before=$(serial)
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj '/CN=renewed' -CA "$LAB/pki/ca.pem" \
		-CAkey "$LAB/pki/ca.key" -addext basicConstraints=CA:FALSE -addext extendedKeyUsage=serverAuth \
		-addext "subjectAltName=DNS:$(naf_fqdn)" -keyout "$LAB/pki/nafkc.key" -out "$LAB/pki/nafkc.pem" 2>/dev/null
	kill -HUP "$(pid_of nafkcd)"
	for _ in $(seq 100); do [ "$(serial)" = "$before" ] || break; sleep 0.05; done
	[ "$(serial)" != "$before" ]
	mt_asks
	[ "$code" = 200 ]
}
