#!/usr/bin/env bats
# Show 2: 100 MiB through a tunnel over a pty pair whose middle, of 100,000 octets, drops 10, repeats 10 and flips a bit of 10: every
# fourth frame of 1,024 octets is damaged (so shorter ones are used). It arrives whole; how often frames had to be sent again is printed.
bats_require_minimum_version 1.5.0
load lib
load tunnel
load serial
export TUNNEL_TIMEOUT_S=240	# each loss costs a round trip through five processes: long where others compile
setup_file() { tunnel_up noisy-pty; }
teardown_file() { tunnel_down; }

@test "Show 2: 100 MiB to a service over a bad serial line: whole (U6)" {
	much_one_way
	retransmissions
	[ "$(line_of extdevd .retransmitted)" -gt 1000 ]
	[ "$(line_of mtd .bad)" -gt 1000 ]
}
@test "10 MiB from a service over a bad serial line, after the user's end of sending: whole (U6)" { MIB=10 much_the_other_way; }
@test "20 streams at once over a bad serial line, 100 kB each and back: whole, in one tunnel (U5)" { N=20 OCTETS=100000 many_at_once; }
@test "the service resets: so it arrives over a bad serial line" { reset_by_the_service; }
@test "the user resets: so it arrives over a bad serial line" { reset_by_the_user; }
@test "a new key over a bad serial line, on a channel of its own: the stream that stands goes on (U1)" { new_key_old_stream; }
@test "mtd ends and comes back over a bad serial line: the same key, a new tunnel (U3)" { mt_again; }
@test "unplugged with a tunnel on it, and plugged in again: the same key, a new tunnel (U3, U6)" {
	key=$(kj extdevd tunnel list | get '.tunnels[0].kcv')
	lab stop line
	run -0 services closed "$(address echo)"
	[ "$output" = closed ]
	lab start line
	wait_for only_tunnel "$key"
	run -0 services echo "$(address echo)" 3 1000
	[ "$output" = "3 whole" ]
}
