#!/usr/bin/env bats
# U6: the same over a line that of 100,000 octets drops 10, repeats 10 and flips a bit of 10: slower, and nothing breaks.
bats_require_minimum_version 1.5.0
load lib
load tunnel
load serial
setup_file() { lab_up --link noisy-pty; }
teardown_file() { lab_down; }

@test "U6: scenarios 1 and 2 over a bad serial line, again and again" {
	for _ in 1 2 3 4 5; do scenario_1_and_2; done
}
@test "U6: a bad line unplugged and plugged in again" { unplug_and_plug; }
@test "U6: mtd and extdevd begin again on a bad line" { mtd_again; }

@test "U8: TLS with certificates before the first message, over a bad serial line" {
	openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 30 -subj '/CN=mt' -CA "$LAB/pki/ca.pem" \
		-CAkey "$LAB/pki/ca.key" -addext 'subjectAltName=DNS:mt.kslocal.example' -addext 'basicConstraints=critical,CA:FALSE' \
		-addext 'extendedKeyUsage=serverAuth' -keyout "$LAB/pki/mt.key" -out "$LAB/pki/mt.pem" 2>/dev/null
	sed -i '/^local "serial" {/a\    tls = certificates\n    cert = "'"$LAB"'/pki/mt.pem"\n    key = "'"$LAB"'/pki/mt.key"\n    ca = "'"$LAB"'/pki/ca.pem"' "$LAB/mtd.conf"
	lab restart mtd			# TLS at one end only: both say so
	wait_for log_has mtd 'reason=link-peer-plain' >/dev/null
	wait_for log_has extdevd 'reason=link-peer-tls' >/dev/null
	sed -i '/^mt "phone" {/a\    tls = certificates\n    cert = "'"$LAB"'/pki/device.pem"\n    key = "'"$LAB"'/pki/device.key"\n    ca = "'"$LAB"'/pki/ca.pem"\n    tls_name = "mt.kslocal.example"' "$LAB/extdevd.conf"
	lab restart extdevd
	wait_for mt_is true
	establish --new
	three_agree
	sed -i '/^local "serial" {/,/^}/{ /tls\|cert\|key\|ca = /d }' "$LAB/mtd.conf"
	lab restart mtd			# the other way round
	wait_for log_has extdevd 'reason=link-peer-plain' >/dev/null
	wait_for log_has mtd 'reason=link-peer-tls' >/dev/null
}
