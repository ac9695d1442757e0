#!/usr/bin/env bats
# Show 2: what travels through a tunnel whose link is a serial line arrives whole (U6), as over UNIX and TCP (30, 31). Here with a good
# line, in 36 with a bad one; U1: the tunnels are channels of one line.
bats_require_minimum_version 1.5.0
load lib
load tunnel
load serial
setup_file() { tunnel_up pty; }
teardown_file() { tunnel_down; }

@test "100 MiB to a service over a serial line: whole (U6)" {
	much_one_way
	retransmissions
}
@test "100 MiB from a service over a serial line, after the user's end of sending: whole (U6)" {
	much_the_other_way
	retransmissions
}
@test "20 streams at once over a serial line, 1 MB each and back: whole, in one tunnel (U5)" { N=20 many_at_once; }
@test "the service resets: so it arrives over a serial line" { reset_by_the_service; }
@test "the user resets: so it arrives over a serial line" { reset_by_the_user; }
@test "an unknown, a barred and a dead service over a serial line: closed, with the reason in the log (U5)" { no_such_service; }
@test "a new key over a serial line, on a channel of its own: the stream that stands goes on (U1)" { new_key_old_stream; }
@test "mtd ends and comes back over a serial line: the same key, a new tunnel (U3)" { mt_again; }
