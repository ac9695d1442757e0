#!/usr/bin/env bats
# The key at work: a service of the MT's, reached at the device through a tunnel under the key (issue 5; U1-U5, U8, K5).
load lib
load use
setup() {
	LAB=$BATS_TEST_TMPDIR/lab XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/user
	mkdir -p "$XDG_RUNTIME_DIR"
	others=()
	echo_start
}
teardown() {
	local pid
	stream_close
	for pid in "${others[@]}"; do
		kill "$pid" && wait "$pid" || true
	done
	lab down
	echo_stop
	not grep -HnE 'Sanitizer|runtime error:|Assertion|fatal:' "$LAB"/*/log
}
up() { lab up --service "echo=$ECHO" "$@" >"$BATS_TEST_TMPDIR/up.log" 2>&1 || { cat "$BATS_TEST_TMPDIR/up.log"; return 1; }; }

# A connection through the tunnel that stays
stream_open() {
	local at
	at=$(service_port echo)
	exec {stream}<>"/dev/tcp/${at%:*}/${at##*:}"
	stream_says first
}
stream_says() {
	local line
	printf '%s\n' "$1" >&$stream
	IFS= read -r -t 20 -u $stream line && [ "$line" = "$1" ]
}
stream_close() {
	[ -z "${stream:-}" ] || exec {stream}>&-
	stream=''
}

@test "U4: a service's connection is carried on the key; any daemon may be restarted in the middle" {
	up
	establish
	says_back "the first"
	for d in bsfd nafkcd mtd extdevd; do
		lab restart $d
		says_back_soon "after $d began again"
	done
	[ "$(runs)" = 1 ]
	[ "$(kj extdevd status | get '.tunnels[0].btid')" = "$btid" ]
	ksctl extdevd use
	[ "$(tunnels_at extdevd)" = 1 ]
	[ "$(tunnels_at mtd)" = 1 ]
}

@test "U4: with no key at all, the first connection brings one" {
	up --set extdevd 'mt.use_on_connect = none'
	[ "$(keys_at extdevd)" = 0 ]
	says_back "who was first"
	[ "$(keys_at extdevd)" = 1 ]
	[ "$(keys_at mtd)" = 1 ]
}

@test "U3: the MT's store is lost, its MT_ID with it: the device makes another key by itself" {
	up
	establish
	old=$mt_id
	says_back "before"
	lab stop mtd
	rm "$LAB"/mtd/mtd.db*
	lab start mtd
	says_back_soon "after"
	ksctl extdevd use
	[ "$(kj extdevd status | get '.mts[0].mt_id')" != "$old" ]
	[ "$(kj extdevd status | get '.tunnels[0].kcv')" = "$(kj mtd key list | get '.keys[0].kcv')" ]
}

@test "U3: the device's store is lost: the MT tries, is told so, asks for a new key, and it is used" {
	up --set extdevd 'device_id = "urn:gsma:imei:35209900-176148-1"' --set extdevd 'mt.use_on_connect = none'
	establish
	old=$btid
	lab stop extdevd
	rm "$LAB"/extdevd/extdevd.db*
	lab start extdevd
	until_true link_is_up
	ksctl mtd use "$device_id" || true
	ksctl extdevd wait key --timeout 20
	until_true confirmed
	[ "$(key_at extdevd .btid)" != "$old" ]
	says_back "as ever"
}
link_is_up() { [ "$(kj extdevd status | get '.mts[0].link')" = up ]; }

@test "U3: a service with nobody behind it, or one that the MT does not offer, is no reason for another key" {
	up --service nobody=127.0.0.1:1 --service spelt=127.0.0.1:1
	sed -i 's/service "spelt"/service "otherwise"/' "$LAB/mtd.conf"
	lab restart mtd
	establish
	for s in nobody spelt; do status_is 1 python3 "$ROOT/test/scenario/echo_client.py" "$(service_port $s)" x; done
	log_has extdevd 'reason=tunnel-service-down'
	log_has extdevd 'reason=tunnel-service-unknown'
	says_back "the others go on"
	[ "$(runs)" = 1 ]
}

@test "U1: a running stream goes on across a renewal ahead of the expiry, and the old key is replaced" {
	up --set nafkcd 'key_lifetime_max = "1h"'
	establish
	old=$btid
	stream_open
	lab clock +2000
	stream_says "before its time"
	[ "$(key_at extdevd .btid)" = "$old" ]
	lab clock +881
	until_true renewed
	stream_says "on the old tunnel"
	until_true two_tunnels
	says_back "on the new one"
	stream_says "still there"
	[ "$(kj extdevd tunnel list | get '[.tunnels[] | select(.state == "draining")] | length')" = 1 ]
	stream_close
	until_true one_tunnel
	[ "$(key_at extdevd .kcv)" = "$(key_at mtd .kcv)" ]
}
renewed() { [ "$(key_at extdevd .btid)" != "$old" ]; }
two_tunnels() { [ "$(tunnels_at extdevd)" = 2 ] && [ "$(tunnels_at mtd)" = 2 ]; }
one_tunnel() { [ "$(tunnels_at extdevd)" = 1 ] && [ "$(tunnels_at mtd)" = 1 ]; }

@test "U4: ksctl mtd use begins a tunnel; so does ksctl extdevd use" {
	up --set extdevd 'mt.use_on_connect = none'
	establish
	[ "$(tunnels_at extdevd)" = 0 ]
	ksctl mtd use "$device_id"
	until_true one_tunnel
	lab restart extdevd
	until_true no_tunnels
	run kj extdevd use
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	[ "$(get .btid <<<"$output")" = "$btid" ]
	[ "$(get .state <<<"$output")" = up ]
	one_tunnel
	# nobody is there: 3
	lab stop mtd
	status_is 3 ksctl extdevd use
}

@test "K5: with a Device_ID per establishment the MT is told to forget the older key" {
	up --set extdevd 'device_id = "random-each"'
	establish
	old=$device_id
	ksctl extdevd use
	establish --new
	[ "$device_id" != "$old" ]
	ksctl extdevd use
	until_true mt_has_one_key
	[ "$(kj mtd key list | get '.keys[0].device_id')" = "$device_id" ]
	log_has extdevd 'forgotten there'
	says_back "on the new one"
}
mt_has_one_key() { [ "$(keys_at mtd)" = 1 ]; }

@test "U8: over a UNIX socket, and over TCP with certificates; a plain end is named at both" {
	up --link unix
	establish
	says_back "by the socket"
	lab down --delete
	lab up --no-start --service "echo=$ECHO"
	sed -i "/^local \"tcp\"/a tls = certificates\ncert = \"$LAB/pki/nafkc.pem\"\nkey = \"$LAB/pki/nafkc.key\"\nca = \"$LAB/pki/ca.pem\"" "$LAB/mtd.conf"
	sed -i "/^mt \"phone\"/a tls = certificates\ncert = \"$LAB/pki/device.pem\"\nkey = \"$LAB/pki/device.key\"\nca = \"$LAB/pki/ca.pem\"\ntls_name = nafkc.kslocal.example" "$LAB/extdevd.conf"
	lab up >"$BATS_TEST_TMPDIR/up.log"
	establish
	says_back "with certificates"
	[ "$(tunnels_at mtd)" = 1 ]
	sed -i '/^tls = certificates/d; /^tls_name/d' "$LAB/extdevd.conf"
	lab restart extdevd
	until_true log_has mtd 'reason=link-peer-plain'
	until_true log_has extdevd 'reason=link-peer-tls'
}

# another DAEMON NAME SED-SCRIPT [MORE]: a second daemon beside the lab's, with the lab's configuration changed, and more in it
another() {
	local d=$1 dir=$LAB/$2
	mkdir -p "$dir"
	cp "$LAB/keys/$d.key" "$dir/key"
	sed -E "s|^store = .*|store = \"$dir/store.db\"|; s|^store_key = .*|store_key = \"$dir/key\"|; s|^control = .*|control = \"unix:$dir/sock\"|
		s|^trace_file = .*|trace_file = \"$dir/trace.jsonl\"|; s|^metrics = .*|metrics = \"127.0.0.1:0\"|; $3" "$LAB/$d.conf" >"$dir.conf"
	printf '%s\n' "${4:-}" >>"$dir.conf"
	"$KSLOCAL_BIN/$d" -c "$dir.conf" >"$dir/out" 2>"$dir/log" 3>&- &
	others+=($!)
	"$KSLOCAL_BIN/ksctl" --socket "unix:$dir/sock" "$d" wait ready --timeout 20
}
at() { "$KSLOCAL_BIN/ksctl" --json --socket "unix:$LAB/$1/sock" "${@:2}"; }

@test "many: two devices at one MT, one device at two MTs, all on one host" {
	up
	establish
	# a second phone with another subscriber's card
	sed -E 's/"iccid": .*/"iccid": "89441000309999999999",/; s/"imsi": .*/"imsi": "001010999999999",/; s/"impi": .*/"impi": "001010999999999@ims.mnc001.mcc001.3gppnetwork.org",/' \
		"$LAB/subscriber.json" >"$LAB/second.json"
	ksctl bsfd subscriber add "$LAB/second.json"
	other_card >"$LAB/second.conf"
	chmod 600 "$LAB/second.conf"
	another mtd mtd2 "s|image = .*|image = \"$LAB/second.conf\"|; s|listen = \"tcp:.*|listen = \"tcp:127.0.0.1:0\"|; s|mtd-local.sock|mtd2.sock|"
	phone2=$(tr ' ' '\n' <"$LAB/mtd2/out" | sed -n 's/^local=tcp:/tcp:/p')
	# a second device that is linked with both
	another extdevd extdevd2 's|listen = "127.*|listen = "127.0.0.1:0"|' "mt \"phone2\" {
		address = \"$phone2\"
		service \"echo\" { listen = \"127.0.0.1:0\" }
	}"
	at extdevd2 extdevd establish --mt phone
	at extdevd2 extdevd establish --mt phone2
	at extdevd2 extdevd use --mt phone
	at extdevd2 extdevd use --mt phone2
	[ "$(at extdevd2 extdevd tunnel list | get '.tunnels | length')" = 2 ]
	[ "$(kj mtd tunnel list | get '.tunnels | length')" = 2 ]
	[ "$(at mtd2 mtd tunnel list | get '.tunnels | length')" = 1 ]
	[ "$(at extdevd2 extdevd key list | get '[.keys[].mt_id] | unique | length')" = 2 ]
	says_back "the lab's own"
	for s in echo phone2/echo; do
		port=$(at extdevd2 extdevd status | get --arg s $s '.services[$s]')
		[ "$(python3 "$ROOT/test/scenario/echo_client.py" "$port" "by $s")" = "by $s" ]
	done
}

@test "lab: --service is NAME=HOST:PORT, any number; status --json tells where each is, and a restart keeps it" {
	for bad in echo echo=7 =127.0.0.1:7 Echo=127.0.0.1:7 'e"=127.0.0.1:7' echo=127.0.0.1:x; do
		status_is 2 lab up --service "$bad" 2>/dev/null
	done
	up --service other=127.0.0.1:1
	[ "$(lab status --json | get '.extdevd.services | keys | join(" ")')" = "echo other" ]
	[ "$(lab_get .extdevd.services.echo)" = "$(service_port echo)" ]
	before=$(service_port echo)
	lab restart extdevd
	[ "$(service_port echo)" = "$before" ]
	# again is for a new lab
	lab down
	status_is 1 lab up --service x=127.0.0.1:1 2>/dev/null
}
