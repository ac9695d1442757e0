#!/usr/bin/env bats
# The key at work, at the MT: what closes tunnels there, who is not taken for a device, and what the MT begins (issue 5; U1, U2, U4, K13, C2).
load lib
load use
setup() {
	LAB=$BATS_TEST_TMPDIR/lab XDG_RUNTIME_DIR=$BATS_TEST_TMPDIR/user
	mkdir -p "$XDG_RUNTIME_DIR"
	echo_start
}
teardown() {
	lab down
	echo_stop
	not grep -HnE 'Sanitizer|runtime error:|Assertion|fatal:' "$LAB"/*/log
}
up() { lab up --service "echo=$ECHO" "$@" >"$BATS_TEST_TMPDIR/up.log" 2>&1 || { cat "$BATS_TEST_TMPDIR/up.log"; return 1; }; }
mt_link() { jq -er '.mtd.local[] | select(startswith("tcp:"))' "$LAB/lab.json"; }
# raw OCTETS [LINES]: on a new channel to the MT, all at once; so many lines of what it says, or all until it closes
raw() {
	local at
	at=$(mt_link)
	at=${at#tcp:}
	python3 - "${at%:*}" "${at##*:}" "$1" "${2:-}" <<-'END'
		import socket, sys
		s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 20)
		s.sendall(sys.argv[3].encode())
		got = b""
		try:
		    while not (sys.argv[4] and got.count(b"\n") >= int(sys.argv[4])) and (data := s.recv(65536)):
		        got += data
		except ConnectionResetError:
		    pass
		print(got.decode("latin-1"))
	END
}
triple() { printf '"naf_id":"%s","btid":"%s","device_id":"%s"' "$naf_id" "$btid" "$device_id"; }

@test "C2, 7.5: with keys_without_card = suspended the tunnels end with the card's removal, and the key waits for it" {
	up --set mtd 'uicc.keys_without_card = suspended'
	establish
	says_back before
	ksctl mtd uicc eject
	until_true no_tunnels_at mtd
	log_has mtd 'closed: reason=mt-key-card'
	[ "$(raw "{\"id\":1,\"op\":\"use\",$(triple)}"$'\n' 1 | grep -c '"code":"no-uicc"')" = 1 ]
	ksctl mtd uicc insert "$LAB/card.conf"
	says_back_soon after
	[ "$(kj extdevd tunnel list | get '.tunnels[0].btid')" = "$btid" ]
}

@test "C2, 7.5: the keys shall be deleted from the MT when another UICC is inserted: a running stream ends, too" {
	up
	establish
	says_back before
	other_card >"$LAB/other.conf"
	chmod 600 "$LAB/other.conf"
	ksctl mtd uicc eject
	says_back "usable while it is out"
	ksctl mtd uicc insert "$LAB/other.conf"
	until_true no_tunnels_at mtd
	log_has mtd 'closed: reason=mt-key-card'
	nothing_of mtd "$btid"
}

@test "K13: a Device_ID whose tunnel is alive is not derived for somebody else; its owner renews undisturbed" {
	up
	establish
	says_back mine
	[ "$(tunnels_at mtd)" = 1 ]
	answer=$(raw "{\"id\":1,\"op\":\"derive\",\"naf_id\":\"$naf_id\",\"device_id\":\"$device_id\"}"$'\n' 1)
	grep -q '"code":"busy"' <<<"$answer"
	grep -q '"reason":"mt-device-live"' <<<"$answer"
	log_has mtd "device_id=$device_id: link=.* asks for a key; link=.* uses one, and answers"
	[ "$(kj mtd key list | get '.keys | length')" = 1 ]
	says_back "still mine"
	old=$btid
	establish --new
	[ "$btid" != "$old" ]
	three_agree
	says_back_soon "mine again"
	# whose link is dead is found out by asking it
	kill -STOP "$(pid_of extdevd)"
	answer=$(raw "{\"id\":1,\"op\":\"hello\"}"$'\n'"{\"id\":2,\"op\":\"derive\",\"naf_id\":\"$naf_id\",\"device_id\":\"$device_id\",\"btid\":\"$btid\"}"$'\n' 2)
	kill -CONT "$(pid_of extdevd)"
	not grep -q '"reason":"mt-device-live"' <<<"$answer"
	until_true log_has mtd 'closed: reason=mt-tunnel-dead'
	says_back_soon "and back"
}

@test "U2: octets behind use close the channel, and nothing of them is taken" {
	up --set extdevd 'mt.use_on_connect = none'
	establish
	answer=$(raw "{\"id\":1,\"op\":\"use\",$(triple)}"$'\n'"{\"id\":2,\"op\":\"info\"}"$'\n')
	grep -q '"id":1,"error":{"code":"bad-message"' <<<"$answer"
	not grep -q '"id":1,"ok"' <<<"$answer"
	answer=$(raw "{\"id\":1,\"op\":\"use\",$(triple)}"$'\n'GET)
	not grep -q '"id":1,"ok"' <<<"$answer"
	[ "$(tunnels_at mtd)" = 0 ]
	says_back "the key is as good as before"
}

@test "U4: use_on_connect = mt: the MT begins, on the device's channel, and again when the tunnel is gone" {
	up --set extdevd 'mt.use_on_connect = none' --set mtd 'local.use_on_connect = mt'
	establish
	until_true secured
	lab restart extdevd
	until_true secured
	kj mtd trace | jq -e '[.events[] | select(.step == 0) | .msg] | contains(["use", "secured", "closed"])'
	ksctl mtd use "$device_id"
	[ "$(tunnels_at mtd)" = 1 ]
}
