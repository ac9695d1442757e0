#!/usr/bin/env bats
# Ua as an outsider sees it: openssl s_client and curl with hand-written Key Requests. ts33259.md 7, ua-33222.md 2 and 6
load lib
setup_file() {
	lab_up
	other_ca
}
teardown_file() { lab_down; }

# a CA that nafkcd does not know, and a device of it
other_ca() {
	cd "$BATS_FILE_TMPDIR"
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj '/CN=another CA' -keyout oca.key -out oca.pem
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj '/CN=stranger' -CA oca.pem -CAkey oca.key \
		-addext basicConstraints=CA:FALSE -addext extendedKeyUsage=clientAuth -keyout stranger.key -out stranger.pem
	# of the right CA: a second device; one that is over; one that is for servers only
	for x in 'second 30 clientAuth' 'servant 30 serverAuth'; do
		read -r name days usage <<<"$x"
		openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days "$days" -subj "/CN=$name" -CA "$LAB/pki/ca.pem" \
			-CAkey "$LAB/pki/ca.key" -addext basicConstraints=CA:FALSE -addext "extendedKeyUsage=$usage" -keyout $name.key -out $name.pem
	done
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -subj /CN=over -keyout over.key -out over.csr
	printf 'basicConstraints=CA:FALSE\nextendedKeyUsage=clientAuth\n' >over.ext
	mkdir -p demo && : >demo/index && echo 01 >demo/serial
	printf '[ca]\ndefault_ca=d\n[d]\ndatabase=demo/index\nserial=demo/serial\nnew_certs_dir=demo\ndefault_md=sha256\npolicy=p\n[p]\ncommonName=supplied\n' >ca.cnf
	openssl ca -batch -notext -config ca.cnf -cert "$LAB/pki/ca.pem" -keyfile "$LAB/pki/ca.key" -startdate 20200101000000Z \
		-enddate 20210101000000Z -extfile over.ext -in over.csr -out over.pem
} >"$BATS_FILE_TMPDIR/ca.log" 2>&1

hostport() { lab_get .nafkcd.ua | sed 's|https://||; s|/.*||'; }
naf_fqdn() { lab_get .nafkcd.naf_id | sed 's|/.*||'; }
# s_client OPTION…: one handshake and one request; what both sides said
s_client() {
	printf 'GET / HTTP/1.0\r\n\r\n' | timeout 10 openssl s_client -connect "$(hostport)" -servername "$(naf_fqdn)" \
		-CAfile "$LAB/pki/ca.pem" -ign_eof "$@" 2>&1 || true
}
http_requests() { kj nafkcd status | get .ua_requests; }

# ua [CURL OPTION]…: status to $code, body to $body
ua() {
	code=$(curl -sS --max-time 20 --cacert "$LAB/pki/ca.pem" --cert "${cert:-$LAB/pki/device.pem}" --key "${key:-$LAB/pki/device.key}" \
		-o "$BATS_TEST_TMPDIR/body" -D "$BATS_TEST_TMPDIR/head" -w '%{http_code}' "$@" "$(lab_get .nafkcd.ua)")
	body=$(cat "$BATS_TEST_TMPDIR/body" 2>/dev/null || true)
}
xml() { # BTID DEVICE_ID [NAF]
	printf '<?xml version="1.0" encoding="UTF-8"?>\n<keyRequest xmlns="urn:x-kslocal:ua:1">\n  <btid>%s</btid>\n' "$1"
	[ -z "${3:-}" ] || printf '  <nafId>%s</nafId>\n' "$3"
	printf '  <deviceId>%s</deviceId>\n</keyRequest>\n' "$2"
}
post() { ua -H 'Content-Type: application/xml; charset=utf-8' --data-binary "$1" "${@:2}"; }
refused() { # STATUS REASON
	[ "$code" = "$1" ] || { echo "status $code, not $1: $body"; return 1; }
	[[ $body == *'<keyError xmlns="urn:x-kslocal:ua:1">'*"<reason>$2</reason>"*'<text>'* ]] || { echo "body: $body"; return 1; }
	grep -qi '^content-type: application/xml' "$BATS_TEST_TMPDIR/head"
}
element() { sed -n "s|.*<$1>\([^<]*\)</$1>.*|\1|p" <<<"$body"; }

@test "Shows 4: no certificate: an alert, and no octet of HTTP is read" {
	before=$(http_requests)
	for v in -tls1_2 -tls1_3; do
		out=$(s_client $v)
		[[ $out == *'alert certificate required'* || $out == *'alert handshake failure'* || $out == *'alert bad certificate'* ]] ||
			{ echo "$v: $out"; return 1; }
		[[ $out != *HTTP/1* ]]
	done
	[ "$(http_requests)" = "$before" ]
	log_has nafkcd 'reason='
}

@test "Shows 4: a certificate of another CA: alert unknown ca, no octet of HTTP is read" {
	before=$(http_requests)
	for v in -tls1_2 -tls1_3; do
		out=$(s_client $v -cert "$BATS_FILE_TMPDIR/stranger.pem" -key "$BATS_FILE_TMPDIR/stranger.key")
		[[ $out == *'alert unknown ca'* ]] || { echo "$v: $out"; return 1; }
		[[ $out != *HTTP/1* ]]
	done
	[ "$(http_requests)" = "$before" ]
}

@test "N5: a certificate that is over: alert certificate expired" {
	out=$(s_client -cert "$BATS_FILE_TMPDIR/over.pem" -key "$BATS_FILE_TMPDIR/over.key")
	[[ $out == *'alert certificate expired'* ]] || { echo "$out"; return 1; }
}

@test "ua-33222 2: a certificate for servers only is refused in the handshake" {
	out=$(s_client -cert "$BATS_FILE_TMPDIR/servant.pem" -key "$BATS_FILE_TMPDIR/servant.key")
	[[ $out == *alert* && $out != *HTTP/1* ]] || { echo "$out"; return 1; }
}

@test "ua-33222 6: TLS 1.0 and 1.1 are not spoken" {
	for v in -tls1 -tls1_1; do
		out=$(s_client $v -cipher 'DEFAULT@SECLEVEL=0' -cert "$LAB/pki/device.pem" -key "$LAB/pki/device.key")
		[[ $out != *HTTP/1* && ( $out == *'alert protocol version'* || $out == *'no protocols available'* ) ]] || { echo "$v: $out"; return 1; }
	done
}

@test "Shows 4: curl with the device's certificate and a hand-written Key Request gets the key" {
	establish --new
	for v in 1.2 1.3; do
		post "$(xml "$btid" "$device_id" "$naf_id")" --tlsv$v --tls-max $v
		[ "$code" = 200 ] || { echo "$code $body"; return 1; }
		[ "$(element btid)" = "$btid" ]
		[ "$(element deviceId)" = "$device_id" ]
		[ "$(element keyLifetime)" = "$expires" ]
		[ "$(python3 "$ROOT/test/scenario/expect.py" kcv-of "$(element ksLocalDevice)")" = "$kcv" ]
		grep -qi '^cache-control: no-store' "$BATS_TEST_TMPDIR/head"
		grep -qi '^content-type: application/xml' "$BATS_TEST_TMPDIR/head"
	done
}

@test "W4: nafId absent, the FQDN alone, the whole NAF_ID: the same key; another one: 400" {
	establish --new
	for naf in '' "$(naf_fqdn)" "$naf_id"; do
		post "$(xml "$btid" "$device_id" "$naf")"
		[ "$code" = 200 ] || { echo "nafId '$naf': $code $body"; return 1; }
		[ "$(python3 "$ROOT/test/scenario/expect.py" kcv-of "$(element ksLocalDevice)")" = "$kcv" ]
	done
	post "$(xml "$btid" "$device_id" other.example.org)"
	refused 400 bad-request
}

@test "Shows 4: an unknown B-TID: 403 bootstrap-again in XML" {
	establish
	post "$(xml "AAAAAAAAAAAAAAAAAAAAAA==@$(lab_get .bsfd.fqdn)" "$device_id")"
	refused 403 bootstrap-again
	post "$(xml "somebody@else.example" "$device_id")"
	refused 403 bootstrap-again
}

@test "N2: a second certificate of the same CA that knows B-TID and Device_ID: 403 refused" {
	establish
	cert=$BATS_FILE_TMPDIR/second.pem key=$BATS_FILE_TMPDIR/second.key
	post "$(xml "$btid" "$device_id")"
	refused 403 refused
	[[ $body != *ksLocalDevice* ]]
}

@test "N1, N8: a blocked device: 403 refused and no Zn message; allowed again: that key does not come back, the next one does" {
	establish --new
	ksctl nafkcd device block "$device_id"
	before=$(kj bsfd status | get .zn_requests)
	post "$(xml "$btid" "$device_id")"
	refused 403 refused
	[ "$(kj bsfd status | get .zn_requests)" = "$before" ]
	run ksctl --json extdevd establish --force
	[ "$status" -eq 4 ] || [ "$status" -eq 1 ]
	ksctl nafkcd device allow "$device_id"
	post "$(xml "$btid" "$device_id")"
	refused 403 bootstrap-again
	establish --new
	post "$(xml "$btid" "$device_id")"
	[ "$code" = 200 ]
}

@test "status by cause: 404 405 413 415 431 and 400 for what is no Key Request" {
	establish
	good=$(xml "$btid" "$device_id")
	code=$(curl -sS --cacert "$LAB/pki/ca.pem" --cert "$LAB/pki/device.pem" --key "$LAB/pki/device.key" -o "$BATS_TEST_TMPDIR/body" \
		-D "$BATS_TEST_TMPDIR/head" -w '%{http_code}' "https://$(hostport)/elsewhere")
	body=$(cat "$BATS_TEST_TMPDIR/body")
	refused 404 not-found
	ua -X GET
	refused 405 method
	grep -qi '^allow: POST' "$BATS_TEST_TMPDIR/head"
	post "$(head -c 20000 /dev/zero | tr '\0' ' ')"
	refused 413 too-large
	ua -H 'Content-Type: text/plain' --data-binary "$good"
	refused 415 media-type
	ua -H 'Content-Type: application/xml' -H "X-Long: $(head -c 9000 /dev/zero | tr '\0' x)" --data-binary "$good"
	[ "$code" = 431 ]	# more than a socket's buffer would meet the reset before the answer
	for bad in 'no xml' '<keyRequest/>' '<keyRequest xmlns="urn:x-kslocal:ua:1"/>' "${good/urn:x-kslocal:ua:1/urn:other}" \
		"${good/<deviceId>/<more>x</more><deviceId>}" "${good/<deviceId>/<btid>$btid</btid><deviceId>}" \
		"${good/$device_id/has blank}" "${good/$btid/noat}" "${good%</keyRequest>*}" \
		'<!DOCTYPE x [<!ENTITY e "v">]><keyRequest xmlns="urn:x-kslocal:ua:1"/>'; do
		post "$bad"
		refused 400 bad-request || { echo "for: $bad"; return 1; }
	done
	post "$good"
	[ "$code" = 200 ]
}

@test "N4: a server certificate with another name: the device sends neither B-TID nor Device_ID and says why" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj '/CN=nafkc.kslocal.example' -CA "$LAB/pki/ca.pem" \
		-CAkey "$LAB/pki/ca.key" -addext basicConstraints=CA:FALSE -addext extendedKeyUsage=serverAuth \
		-addext subjectAltName=DNS:other.kslocal.example,DNS:*.kslocal.example \
		-keyout "$BATS_TEST_TMPDIR/wrong.key" -out "$BATS_TEST_TMPDIR/wrong.pem" 2>/dev/null
	cp "$LAB/nafkcd.conf" "$BATS_TEST_TMPDIR/nafkcd.conf"
	sed -i "s|$LAB/pki/nafkc\.|$BATS_TEST_TMPDIR/wrong.|" "$LAB/nafkcd.conf"
	lab restart nafkcd
	run ksctl --json extdevd establish --force
	cp "$BATS_TEST_TMPDIR/nafkcd.conf" "$LAB/nafkcd.conf"
	lab restart nafkcd
	[ "$status" -ne 0 ]
	[[ $output == *certificate* ]] || { echo "$output"; return 1; }
	[ "$(http_requests)" = 0 ]
	establish --force
}
