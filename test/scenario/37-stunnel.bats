#!/usr/bin/env bats
# An application key at work outside kslocal: stunnel on both ends, each with the key that its side derived (issue 5, show 3; U7).
load lib
load use
setup_file() {
	lab_up
	establish
	export btid naf_id device_id
	echo_start
}
teardown_file() {
	echo_stop
	lab_down
}
setup() { stunnels=(); }
teardown() {
	local pid
	for pid in "${stunnels[@]}"; do kill "$pid" 2>/dev/null || true; done
}

# stunnel_up NAME PSKFILE CONNECT [OPTION]…: AT is where it listens
stunnel_up() {
	local dir=$BATS_TEST_TMPDIR name=$1
	{
		printf 'foreground = yes\npid =\ndebug = info\n[%s]\naccept = 127.0.0.1:0\nconnect = %s\n' "$name" "$3"
		printf 'PSKsecrets = %s\nciphers = kECDHEPSK\nsslVersion = TLSv1.3\n' "$2"
		[ $# -lt 4 ] || printf '%s\n' "${@:4}"
	} >"$dir/$name.conf"
	stunnel "$dir/$name.conf" >"$dir/$name.log" 2>&1 3>&- 4>&- &
	stunnels+=($!)
	until_true grep -q 'bound to' "$dir/$name.log" || { cat "$dir/$name.log"; return 1; }
	AT=$(sed -n 's/.* bound to //p' "$dir/$name.log")
}
# derive_both APP: phone.psk and laptop.psk
derive_both() {
	ksctl mtd key derive --device "$device_id" --app "$1" --format psk --out "$BATS_TEST_TMPDIR/phone.psk"
	ksctl extdevd key derive --app "$1" --format psk --out "$BATS_TEST_TMPDIR/laptop.psk"
}

@test "U7: both ends derive one application key, and two stunnels carry octets on it" {
	derive_both org.example.backup
	cmp "$BATS_TEST_TMPDIR/phone.psk" "$BATS_TEST_TMPDIR/laptop.psk"
	[ "$(cut -d: -f2 "$BATS_TEST_TMPDIR/phone.psk")" = \
		"$(python3 "$ROOT/test/scenario/expect.py" app-key "$LAB/subscriber.json" "$btid" "$naf_id" "$device_id" org.example.backup)" ]
	[ "$(stat -c %a "$BATS_TEST_TMPDIR/laptop.psk")" = 600 ]
	stunnel_up phone "$BATS_TEST_TMPDIR/phone.psk" "$ECHO"
	stunnel_up laptop "$BATS_TEST_TMPDIR/laptop.psk" "$AT" 'client = yes'
	[ "$(python3 "$ROOT/test/scenario/echo_client.py" "$AT" 'there and back')" = 'there and back' ]
	head -c 3000000 /dev/urandom >"$BATS_TEST_TMPDIR/sent"
	exec {c}<>"/dev/tcp/${AT%:*}/${AT##*:}"
	cat "$BATS_TEST_TMPDIR/sent" >&$c &
	timeout 30 head -c 3000000 <&$c >"$BATS_TEST_TMPDIR/got"
	exec {c}>&-
	cmp "$BATS_TEST_TMPDIR/sent" "$BATS_TEST_TMPDIR/got"
	grep -q connected "$BATS_TEST_TMPDIR/phone.log"
	grep -q TLSv1.3 "$BATS_TEST_TMPDIR/phone.log"
}

@test "U7: the key of another application does not get through" {
	derive_both org.example.backup
	ksctl extdevd key derive --app org.example.other --format psk --out "$BATS_TEST_TMPDIR/other.psk"
	not cmp -s "$BATS_TEST_TMPDIR/other.psk" "$BATS_TEST_TMPDIR/phone.psk"
	# under the right name, too, so that it is the key that decides
	printf '%s:%s\n' "$(cut -d: -f1 "$BATS_TEST_TMPDIR/phone.psk")" "$(cut -d: -f2 "$BATS_TEST_TMPDIR/other.psk")" >"$BATS_TEST_TMPDIR/named.psk"
	stunnel_up phone "$BATS_TEST_TMPDIR/phone.psk" "$ECHO"
	phone=$AT
	for psk in other named; do
		stunnel_up $psk "$BATS_TEST_TMPDIR/$psk.psk" "$phone" 'client = yes'
		got=$(python3 "$ROOT/test/scenario/echo_client.py" "$AT" 'let me in' || true)
		[ -z "$got" ]
	done
	not grep -q connected "$BATS_TEST_TMPDIR/phone.log"
}
