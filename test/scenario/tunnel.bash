# tunnel.bash: what the scenarios of tunnels share: a lab whose MT offers the services of services.py, and Show 2 over its link.
# A bats file says "load lib" and "load tunnel"; setup_file calls tunnel_up LINK, teardown_file tunnel_down.

services() { timeout -k 5 "${TUNNEL_TIMEOUT_S:-120}" "$ROOT/test/scenario/services.py" "$@"; }

# wait_for COMMAND…: until it succeeds, 20 s at most
wait_for() {
	local i
	for ((i = 0; i < 400; i++)); do
		"$@" && return
		sleep 0.05
	done
	echo "waited in vain for: $*"
	return 1
}
tunnel_is_gone() { ! tunnel_is_up; }
tunnel_is_up() { [ "$(kj extdevd tunnel list | jq -r '.tunnels[].state')" = up ]; }

# tunnel_up LINK [OPTION OF lab up]…: services sink, echo, source, reset; down (nobody listens); ghost (at the device only)
tunnel_up() {
	local link=$1 s options=() ports
	shift
	ports=$BATS_FILE_TMPDIR/ports
	"$ROOT/test/scenario/services.py" serve "$ports" >"$BATS_FILE_TMPDIR/services.log" 2>&1 3>&- &
	echo $! >"$BATS_FILE_TMPDIR/services.pid"
	wait_for test -s "$ports"
	for s in $(<"$ports"); do options+=(--service "${s%%=*}=127.0.0.1:${s#*=}"); done
	lab_up --no-start --link "$link" "${options[@]}" --service down=127.0.0.1:1 --service ghost=127.0.0.1:1 \
		--service barred=127.0.0.1:1 "$@"
	sed -i '/^service "ghost"/,/^}/d; /^service "barred"/,/^}/ s/devices = .*/devices = { }/' "$LAB/mtd.conf"
	lab_up
	establish
	wait_for tunnel_is_up
}
tunnel_down() {
	kill "$(<"$BATS_FILE_TMPDIR/services.pid")"
	lab_down
}
# address SERVICE: where the device listens for it
address() { lab status --json | jq -er ".extdevd.services.$1"; }
# served SERVICE end|cut: how many of its connections ended so
served() { grep -cx "$1 $2" "$BATS_FILE_TMPDIR/ports.log" || true; }
served_more() { [ "$(served "$1" "$2")" -gt "$3" ]; }

# --- the tests' bodies; MIB: how much is much on this link

much_one_way() {
	run -0 services sink "$(address sink)" $((${MIB:-100} * 1048576)) much
	echo "# $output" >&3
	[[ $output == whole\ * ]]
}
much_the_other_way() {
	run -0 services source "$(address source)" $((${MIB:-100} * 1048576)) more
	[ "$output" = whole ]
}
many_at_once() {
	run -0 services echo "$(address echo)" "${N:-50}" "${OCTETS:-1000000}"
	[ "$output" = "${N:-50} whole" ]
	kj extdevd tunnel list | get '.tunnels | length == 1'
}
# What a service's user says is for the service alone: it may be TLS
tls_inside() {
	local at tls
	at=$(address echo)
	exec {tls}<>"/dev/tcp/${at%:*}/${at##*:}"
	printf '\x16' >&$tls
	[ "$(timeout 20 head -c 1 <&$tls | xxd -p)" = 16 ]
	printf '\x03\x01\x00\x05hello' >&$tls
	[ "$(timeout 20 head -c 9 <&$tls | xxd -p)" = 0301000568656c6c6f ]
	exec {tls}>&-
}
reset_by_the_service() {
	run -0 services reset "$(address reset)"
	[ "$output" = reset ]
}
reset_by_the_user() {
	local before
	before=$(served echo cut)
	run -0 services cut "$(address echo)"
	wait_for served_more echo cut "$before"
}
no_such_service() {
	local s
	for s in down ghost barred; do
		run -0 services closed "$(address "$s")"
		[ "$output" = closed ]
	done
	grep -q 'reason=tunnel-service-unknown' "$LAB/extdevd/log"
	grep -q 'reason=tunnel-service-refused' "$LAB/extdevd/log"
	grep -q 'reason=tunnel-service-down' "$LAB/extdevd/log"
	tunnel_is_up
}
# U1: one key takes another's place, and a connection that stands does not notice
new_key_old_stream() {
	local old new said=$BATS_TEST_TMPDIR/said
	mkfifo "$BATS_TEST_TMPDIR/say"
	services hold "$(address echo)" "$BATS_TEST_TMPDIR/ready" <"$BATS_TEST_TMPDIR/say" >"$said" 3>&- &
	exec 8>"$BATS_TEST_TMPDIR/say"
	wait_for test -s "$BATS_TEST_TMPDIR/ready"
	echo before >&8
	wait_for grep -qx before "$said"
	old=$(kj extdevd tunnel list | get '.tunnels[0].kcv')
	establish --new
	new=$kcv
	[ "$old" != "$new" ]
	wait_for has_tunnel "$new"
	run -0 services echo "$(address echo)" 5 100000
	echo after >&8
	wait_for grep -qx after "$said"
	kj extdevd tunnel list | get --arg k "$old" '.tunnels | any(.kcv == $k)'
	exec 8>&-
	wait_for grep -qx end "$said"
	wait_for only_tunnel "$new"
}
has_tunnel() { kj extdevd tunnel list | jq -e --arg k "$1" '.tunnels | any(.kcv == $k and .state == "up")' >/dev/null; }
only_tunnel() { [ "$(kj extdevd tunnel list | jq -r '[.tunnels[].kcv] | join(" ")')" = "$1" ]; }
# U3: the MT comes back, the key is the same
mt_again() {
	local before
	before=$(kj extdevd tunnel list | get '.tunnels[0].kcv')
	lab stop mtd
	wait_for tunnel_is_gone
	lab start mtd
	wait_for only_tunnel "$before"
	run -0 services echo "$(address echo)" 3 1000
	[ "$output" = "3 whole" ]
}
