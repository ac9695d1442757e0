#!/usr/bin/env bats
# Bad configuration: one line per mistake with file, line, key and what was expected; exit 1; nothing started. HOUSE 10, RULES S4
load lib
setup_file() { lab up --no-start >"$BATS_FILE_TMPDIR/up.log"; }

# mangle DAEMON SED-SCRIPT: what "DAEMON -n" says about a changed configuration
mangle() {
	cp "$LAB/$1.conf" "$BATS_TEST_TMPDIR/$1.conf"
	# the places that lab fills in when it starts
	sed -i 's|@BSFD_ZN@|127.0.0.1:3868|; s|@BSFD_UB@|http://127.0.0.1:8080/|; s|@MTD_LOCAL@|tcp:127.0.0.1:7259|; s|@NAFKCD_UA@|127.0.0.1:443|; s|@NAFKCD_UA_MT@|127.0.0.1:8444|' \
		"$BATS_TEST_TMPDIR/$1.conf"
	[ -z "${2:-}" ] || sed -i "$2" "$BATS_TEST_TMPDIR/$1.conf"
	run timeout 10 "$KSLOCAL_BIN/$1" -n -c "$BATS_TEST_TMPDIR/$1.conf"
}
# complains DAEMON KEY LINE-PATTERN: exit 1, and a line "FILE:LINE: KEY: …expected…" about the line that matches the pattern
complains() {
	local n
	[ "$status" -eq 1 ] || { echo "exit $status: $output"; return 1; }
	n=$(grep -nE -- "$3" "$BATS_TEST_TMPDIR/$1.conf" | tail -1 | cut -d: -f1)
	grep -qE "^$BATS_TEST_TMPDIR/$1.conf:$n: .*$2.*" <<<"$output" || { echo "no complaint about line $n, key $2: $output"; return 1; }
	[ ! -e "$LAB/$1/$1.db" ]
}

@test "the lab's configurations pass -n, which leaves no store behind" {
	for d in bsfd nafkcd mtd extdevd; do
		mangle $d
		[ "$status" -eq 0 ] || { echo "$d: $output"; return 1; }
		[ ! -e "$LAB/$d/$d.db" ]
	done
}

@test "the samples in conf/ pass -n, with credentials and files put where they may be read" {
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/cred
	mkdir -p "$CREDENTIALS_DIRECTORY"
	openssl rand -hex 32 >"$CREDENTIALS_DIRECTORY/store_key"
	for d in bsfd nafkcd mtd extdevd; do
		sed -E "s|/run/credentials/[^/]+/[a-z_]*key\"|$LAB/pki/device.key\"|; s|/run/credentials/[^/]+/[a-z_]+\"|$LAB/pki/ca.pem\"|; s|/var/lib/mtd/phone/card.conf|$LAB/card.conf|" \
			"$ROOT/conf/$d.conf" >"$BATS_TEST_TMPDIR/$d.conf"
		run timeout 10 "$KSLOCAL_BIN/$d" -n -c "$BATS_TEST_TMPDIR/$d.conf"
		[ "$status" -eq 0 ] || { echo "$d: $output"; return 1; }
	done
}

@test "each commented default in conf/ is a key that the daemon knows" {
	export CREDENTIALS_DIRECTORY=$BATS_TEST_TMPDIR/cred
	mkdir -p "$CREDENTIALS_DIRECTORY"
	openssl rand -hex 32 >"$CREDENTIALS_DIRECTORY/store_key"
	for d in bsfd nafkcd mtd extdevd; do
		# every '#key = value' becomes 'key = value'; values may be refused, keys may not be unknown
		sed -E 's|^(\t*)#([a-z_]+ (=\|\{))|\1\2|' "$ROOT/conf/$d.conf" >"$BATS_TEST_TMPDIR/$d.conf"
		run timeout 10 "$KSLOCAL_BIN/$d" -n -c "$BATS_TEST_TMPDIR/$d.conf"
		[[ $output != *"no such"* && $output != *nknown* ]] || { echo "$d: $output"; return 1; }
	done
}

@test "an unknown key: file, line, key" {
	for d in bsfd nafkcd mtd extdevd; do
		mangle $d '1a colour = "red"'
		complains $d colour '^colour'
	done
}

@test "S4: a repeated scalar is refused" {
	for d in bsfd nafkcd mtd extdevd; do
		mangle $d '$a log_level = info\nlog_level = debug'
		complains $d log_level '^log_level'
	done
}

@test "S4: \${ is refused: no environment in a configuration" {
	mangle bsfd 's|^fqdn = .*|fqdn = "bsf.${HOME}.example"|'
	complains bsfd '' '^fqdn'
}

@test "a bad value: what was expected is said" {
	mangle bsfd 's|^fqdn = .*|fqdn = "Not A Name"|'
	complains bsfd fqdn '^fqdn'
	[[ $output == *expected* ]]
	mangle bsfd '$a ks_lifetime = "12 parsecs"'
	complains bsfd ks_lifetime '^ks_lifetime'
	[[ $output == *expected* ]]
	mangle nafkcd 's|^naf_id = .*|naf_id = { "nafkc.kslocal.example" }|'
	complains nafkcd naf_id '^naf_id'
	[[ $output == *expected* ]]
	mangle nafkcd 's|^devices = .*|devices = everyone|'
	complains nafkcd devices '^devices'
	mangle mtd 's|^naf_ids = .*|naf_ids = { "x/01" }|'
	complains mtd naf_ids '^naf_ids'
	mangle extdevd 's|address = "tcp.*|address = "carrier-pigeon"|'
	complains extdevd address 'carrier-pigeon'
	mangle extdevd '$a device_id = "urn:gsma:imei:35209900-176148-2"'	# W2: the check digit is 1
	complains extdevd device_id '^device_id'
}

@test "all mistakes of a file are told at once" {
	mangle bsfd '1a colour = "red"'
	mangle bsfd 's|^fqdn = .*|fqdn = "Not A Name"|; $a ks_lifetime = "12 parsecs"'
	[ "$status" -eq 1 ]
	[ "$(grep -cE "bsfd.conf:[0-9]+: " <<<"$output")" -ge 2 ] || { echo "$output"; return 1; }
}

@test "a file that is not there, a syntax error, an empty file" {
	run "$KSLOCAL_BIN/bsfd" -n -c "$BATS_TEST_TMPDIR/none.conf"
	[ "$status" -eq 1 ]
	[[ $output == *none.conf* ]]
	mangle bsfd '5a zn { { {'
	[ "$status" -eq 1 ]
	[[ $output =~ bsfd.conf:[0-9]+: ]]
	: >"$BATS_TEST_TMPDIR/empty.conf"
	for d in bsfd nafkcd mtd extdevd; do
		run "$KSLOCAL_BIN/$d" -n -c "$BATS_TEST_TMPDIR/empty.conf"
		[ "$status" -eq 1 ] && [[ $output == *store* ]] || { echo "$d: $output"; return 1; }
	done
}

@test "store key: readable by the group, too short, missing: said without the key's text, exit 1 or 3" {
	mangle bsfd
	chmod 640 "$LAB/keys/bsfd.key"
	run timeout 10 "$KSLOCAL_BIN/bsfd" -c "$BATS_TEST_TMPDIR/bsfd.conf"
	chmod 600 "$LAB/keys/bsfd.key"
	[ "$status" -eq 1 ] || [ "$status" -eq 3 ]
	[[ $output == *bsfd.key* ]]
	echo deadbeefdeadbeef >"$BATS_TEST_TMPDIR/short.key"
	chmod 600 "$BATS_TEST_TMPDIR/short.key"
	sed -i "s|$LAB/keys/bsfd.key|$BATS_TEST_TMPDIR/short.key|" "$BATS_TEST_TMPDIR/bsfd.conf"
	run timeout 10 "$KSLOCAL_BIN/bsfd" -c "$BATS_TEST_TMPDIR/bsfd.conf"
	[ "$status" -eq 1 ] || [ "$status" -eq 3 ]
	[[ $output == *short.key* && $output != *deadbeef* ]]
}

@test "K11 B3: plain TCP beyond loopback needs insecure = yes: the daemon does not start, and says the word" {
	beyond() { # DAEMON SED-SCRIPT
		mangle "$1" "$2"
		mkdir -p "$LAB/run"
		run timeout 10 "$KSLOCAL_BIN/$1" -c "$BATS_TEST_TMPDIR/$1.conf"
		rm -f "$LAB/$1/$1".db*
		[ "$status" -eq 1 ] || [ "$status" -eq 3 ] || { echo "$1: exit $status: $output"; return 1; }
		[[ $output == *insecure* ]] || { echo "$1: $output"; return 1; }
	}
	beyond mtd 's|listen = "tcp:127.0.0.1:0"|listen = "tcp:0.0.0.0:0"|'
	beyond bsfd 's|listen = "127.0.0.1:0"	# bound: zn$|listen = "0.0.0.0:0"	# bound: zn|'
}

@test "usage: unknown option 2; -V and --help 0" {
	for d in bsfd nafkcd mtd extdevd; do
		run "$KSLOCAL_BIN/$d" --no-such-option
		[ "$status" -eq 2 ]
		run "$KSLOCAL_BIN/$d" -V
		[ "$status" -eq 0 ]
		[[ $output == *$d* ]]
		run "$KSLOCAL_BIN/$d" --help
		[ "$status" -eq 0 ]
		[[ $output == *-c* ]]
	done
}
