#!/usr/bin/env bats
# Foreign HTTP/2 clients, python3-h2 and curl (nghttp2), at a tunnel's server: CONNECT to a service works, all else is answered as
# HTTP/2 has it, and hurts nobody (U5). The link is plain here: TLS below it is others' matter.
bats_require_minimum_version 1.5.0

setup_file() {
	local kind address i
	export SOCK=$BATS_FILE_TMPDIR/sock TCP
	for kind in unix tcp; do
		address=unix:$SOCK
		[ $kind = unix ] || address=tcp:127.0.0.1:0
		"${CONFORM_BIN%/*}/bench/tunnel_peer" serve "$address" >"$BATS_FILE_TMPDIR/$kind.log" 2>&1 3>&- &
		echo $! >>"$BATS_FILE_TMPDIR/pids"
		for ((i = 0; i < 200; i++)); do
			grep -q '^ready' "$BATS_FILE_TMPDIR/$kind.log" && break
			sleep 0.05
		done
	done
	TCP=$(sed -n 's/^ready tcp://p' "$BATS_FILE_TMPDIR/tcp.log")
	[ -n "$TCP" ]
}
teardown_file() {
	while read -r pid; do kill "$pid"; done <"$BATS_FILE_TMPDIR/pids"
}
h2() { timeout 60 "$BATS_TEST_DIRNAME/h2_client.py" "$@"; }

@test "CONNECT to a service: 200; refused, down and unknown ones by status; host:port is no name (U5)" {
	run -0 h2 "unix:$SOCK" status echo no down nobody Echo 127.0.0.1:7000 echo:80 kslocal-x echo
	[ "$output" = "200 403 502 404 400 400 400 400 200" ]
}
@test "GET is answered 405, a CONNECT with a path is reset, and the next CONNECT works (U5)" {
	run -0 h2 "unix:$SOCK" get
	[ "$output" = "405 reset 200" ]
}
@test "100 streams at once, each whole" {
	run -0 h2 "unix:$SOCK" echo 100 20000
	[ "$output" = "100 whole" ]
}
@test "a few streams with much, over TCP" {
	run -0 h2 "tcp:$TCP" echo 3 1000000
	[ "$output" = "3 whole" ]
}
@test "octets and END_STREAM before the 200" {
	run -0 h2 "unix:$SOCK" early
	[ "$output" = early ]
}
@test "a reset of one stream leaves the others alone" {
	run -0 h2 "unix:$SOCK" reset
	[ "$output" = works ]
}
@test "a client's window is kept to, and one that reads nothing holds up nobody (U5)" {
	run -0 h2 "unix:$SOCK" greedy
	[ "$output" = 65535 ]
}
@test "rapid reset ends in GOAWAY (U5)" {
	run -0 h2 "tcp:$TCP" flood
	[ "$output" = INTERNAL_ERROR ]
	run -0 h2 "tcp:$TCP" status echo
	[ "$output" = 200 ]
	grep -q '^closed tunnel-broken' "$BATS_FILE_TMPDIR/tcp.log"
}
@test "PING is answered" {
	run -0 h2 "unix:$SOCK" ping
	[ "$output" = pong ]
}
@test "curl's GET: 405" {
	run -0 curl -s -m 20 --http2-prior-knowledge -o /dev/null -w '%{http_code} %{http_version}' "http://$TCP/"
	[ "$output" = "405 2" ]
}
@test "curl's HTTP/1.1: told that this is HTTP/2, and gone" {
	run curl -s -m 20 --http1.1 --http0.9 -o /dev/null "http://$TCP/"
	[ "$status" -ne 28 ]
	run -0 h2 "tcp:$TCP" status echo
	[ "$output" = 200 ]
}
