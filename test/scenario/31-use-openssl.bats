#!/usr/bin/env bats
# The secured link judged by openssl: s_client behind a relay that says hello and use, with a key worked out by test means (issue 5,
# show 3; U1, U2, U3).
load lib
load use
setup_file() {
	mkdir -p "$LAB"
	lab_up --set mtd "local \"tls\" {
	    listen = \"unix:$LAB/tls.sock\"
	    tls = certificates
	    cert = \"$LAB/pki/zn-bsf.pem\"
	    key = \"$LAB/pki/zn-bsf.key\"
	    ca = \"$LAB/pki/ca.pem\"
	}"
	establish
	export btid naf_id device_id
	read -r psk identity <<<"$(python3 "$ROOT/test/scenario/expect.py" use-key "$LAB/subscriber.json" "$btid" "$naf_id" "$device_id")"
	export psk identity
}
teardown_file() { lab_down; }
setup() { relay_start "$(jq -er '.mtd.local[] | select(startswith("tcp:"))' "$LAB/lab.json")" "$btid"; }
teardown() {
	[ -z "${RELAY_PID:-}" ] || kill "$RELAY_PID" 2>/dev/null || true
	[ -z "${TOOL_PID:-}" ] || kill "$TOOL_PID" 2>/dev/null || true
}

# relay_start ADDRESS BTID
relay_start() {
	RELAY_OUT=$BATS_TEST_TMPDIR/relay.out
	: >"$RELAY_OUT"
	python3 "$ROOT/test/scenario/use_relay.py" "$1" "$2" "$naf_id" "$device_id" >"$RELAY_OUT" 2>"$RELAY_OUT.err" 3>&- 4>&- &
	RELAY_PID=$!
	until_true grep -q : "$RELAY_OUT"
	RELAY=$(head -n 1 "$RELAY_OUT")
}
# s_client OPTION…: $to is its standard input, $from its output
s_client() {
	coproc TOOL { exec timeout 30 openssl s_client -connect "$RELAY" -quiet "$@" 2>"$BATS_TEST_TMPDIR/s_client.err" 3>&- 4>&-; }
	exec {to}>&"${TOOL[1]}" {from}<&"${TOOL[0]}"	# subshells have them, too
}
# frame: the next HTTP/2 frame's head that the MT sends, in hex, and its payload is skipped
frame() {
	local n
	head=$(dd bs=1 count=9 2>/dev/null <&$from | xxd -p)
	[ ${#head} -eq 18 ] || { echo "head: $head"; cat "$BATS_TEST_TMPDIR/s_client.err" "$RELAY_OUT"*; tail -5 "$LAB/mtd/log"; return 1; }
	n=$((16#${head:0:6}))
	[ $n -eq 0 ] || dd bs=1 count=$n of=/dev/null 2>/dev/null <&$from
}
# refused REASON OPTION…: mtd names the reason, and openssl hears that it failed
refused() {
	local why=$1 rc=0 before
	shift
	before=$(grep -c "reason=$why:" "$LAB/mtd/log" || true)
	timeout 30 openssl s_client -connect "$RELAY" "$@" >"$BATS_TEST_TMPDIR/refused" 2>&1 </dev/null || rc=$?
	[ $rc -ne 0 ] || { echo "s_client was content with: $*"; return 1; }
	[ $rc -ne 124 ] || { echo "s_client heard nothing: $*"; return 1; }
	until_true more_than "$before" "reason=$why:" || { tail -n 5 "$LAB/mtd/log"; cat "$RELAY_OUT"*; return 1; }
}
more_than() { [ "$(grep -c "$2" "$LAB/mtd/log")" -gt "$1" ]; }

@test "U2: openssl s_client with the use-key gets through: TLS 1.3, h2, and the MT's SETTINGS" {
	s_client -psk "$psk" -psk_identity "$identity" -tls1_3 -alpn h2 -ciphersuites TLS_AES_128_GCM_SHA256
	printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0' >&$to
	frame
	[ "${head:6:2}" = 04 ]			# SETTINGS
	[ "${head:8}" = 0000000000 ]
	for _ in 1 2 3; do			# a WINDOW_UPDATE may come between
		frame
		[ "$head" != 000000040100000000 ] || break
	done
	[ "$head" = 000000040100000000 ]	# and ours is acknowledged
	until_true grep -q piped "$RELAY_OUT"
	[ "$(kj mtd tunnel list | get '.tunnels[0].btid')" = "$btid" ]
	log_has mtd "kcv=$(kcv_at mtd "$btid") secured"
	exec {to}>&- {from}<&-
}

@test "U3: a wrong key and a wrong identity do not get through; mtd names the reason" {
	refused link-psk-refused -psk "$(tr 0-9a-f 1-9a-f0 <<<"$psk")" -psk_identity "$identity" -tls1_3 -alpn h2
	refused link-psk-identity -psk "$psk" -psk_identity kslocal1.AAAAAAAAAAAAAAAAAAAAAA -tls1_3 -alpn h2
	refused link-psk-identity -psk "$psk" -psk_identity "$device_id" -tls1_3 -alpn h2
	until_true no_tunnels_at mtd
	[ "$(kcv_at mtd "$btid")" = "$(expected_kcv "$btid" "$naf_id" "$device_id")" ]	# and nothing happened to the key
}

@test "U2: no other way in: TLS 1.2, another suite, no ALPN, no PSK, plain octets" {
	refused link-tls-broken -psk "$psk" -psk_identity "$identity" -tls1_2 -alpn h2
	refused link-tls-broken -tls1_3 -alpn h2 -ciphersuites TLS_AES_256_GCM_SHA384
	refused link-tls-alpn -psk "$psk" -psk_identity "$identity" -tls1_3
	refused link-tls-alpn -psk "$psk" -psk_identity "$identity" -tls1_3 -alpn http/1.1
	refused link-psk-none -tls1_3 -alpn h2
	before=$(grep -c 'reason=link-peer-plain:' "$LAB/mtd/log" || true)
	exec {plain}<>"/dev/tcp/${RELAY%:*}/${RELAY##*:}"
	printf '{"id":3,"op":"forget"}\n' >&$plain
	until_true more_than "$before" 'reason=link-peer-plain:'
	[ "$(dd bs=1 count=7 2>/dev/null <&$plain | xxd -p)" = 15030300020246 ]	# an alert: TLS is what was due
	exec {plain}>&-
}

@test "U8: the same through a link that has TLS with certificates already" {
	kill "$RELAY_PID"
	relay_start "tls:$LAB/tls.sock:$LAB/pki/device.pem:$LAB/pki/device.key:$LAB/pki/ca.pem" "$btid"
	s_client -psk "$psk" -psk_identity "$identity" -tls1_3 -alpn h2
	printf 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0' >&$to
	frame
	[ "${head:6:2}" = 04 ]
	exec {to}>&- {from}<&-
	refused link-psk-refused -psk "$(tr 0-9a-f 1-9a-f0 <<<"$psk")" -psk_identity "$identity" -tls1_3 -alpn h2
}

@test "U3: a triple that the MT does not know is unknown-key, before any TLS" {
	kill "$RELAY_PID"
	relay_start "$(jq -er '.mtd.local[] | select(endswith("mtd-local.sock"))' "$LAB/lab.json")" "AAAAAAAAAAAAAAAAAAAAAA==@${btid#*@}"
	timeout 30 openssl s_client -connect "$RELAY" -psk "$psk" -psk_identity "$identity" -tls1_3 -alpn h2 </dev/null >/dev/null 2>&1 || true
	until_true grep -q unknown-key "$RELAY_OUT"
}
