#!/usr/bin/env bats
# Show 2: what travels through a tunnel whose link is TCP arrives whole, both ways, many streams at once; ends and resets are passed
# on; a service that is not offered is refused (U5); renewal interrupts nothing (U1); a broken link does not change keys (U3).
bats_require_minimum_version 1.5.0
load lib
load tunnel
setup_file() { tunnel_up tcp; }
teardown_file() { tunnel_down; }

@test "100 MiB to a service over tcp: whole" { much_one_way; }
@test "100 MiB from a service over tcp, after the user's end of sending: whole" { much_the_other_way; }
@test "50 streams at once over tcp, 1 MB each and back: whole, in one tunnel (U5)" { many_at_once; }
@test "TLS of a service's user over tcp: the service hears it as it is (U5)" { tls_inside; }
@test "the service resets: so it arrives over tcp" { reset_by_the_service; }
@test "the user resets: so it arrives over tcp" { reset_by_the_user; }
@test "an unknown, a barred and a dead service over tcp: closed, with the reason in the log (U5)" { no_such_service; }
@test "a new key over tcp: the stream that stands goes on (U1)" { new_key_old_stream; }
@test "mtd ends and comes back over tcp: the same key, a new tunnel (U3)" { mt_again; }
