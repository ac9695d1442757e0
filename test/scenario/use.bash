# use.bash: what scenarios of a key at work share: a service behind the MT, and what goes through the device's end of it.

# echo_start: a TCP server that sends back what it gets; ECHO=host:port
echo_start() {
	local out=${BATS_TEST_TMPDIR:-$BATS_FILE_TMPDIR}/echo.out
	python3 "$ROOT/test/scenario/echo_server.py" >"$out" 2>"$out.err" 3>&- 4>&- &
	ECHO_PID=$!
	until [ -s "$out" ]; do
		kill -0 "$ECHO_PID" || { cat "$out.err"; return 1; }
		read -r -t 0.02 <> <(:) || true
	done
	ECHO=$(head -n 1 "$out")
	export ECHO ECHO_PID
}
echo_stop() { [ -z "${ECHO_PID:-}" ] || kill "$ECHO_PID" 2>/dev/null || true; }

# until_true COMMAND…: it becomes true within 20 s
until_true() {
	local end=$((SECONDS + 20))
	until "$@"; do
		[ $SECONDS -le $end ] || { echo "never true: $*"; return 1; }
		read -r -t 0.05 <> <(:) || true
	done
}
service_port() { kj extdevd status | get ".services.${1:-echo}"; }
# says_back TEXT [SERVICE]: TEXT goes through the tunnel and comes back
says_back() {
	local at got
	at=$(service_port "${2:-echo}") || return 1
	got=$(python3 "$ROOT/test/scenario/echo_client.py" "$at" "$1") || { echo "nothing came back of: $1"; return 1; }
	[ "$got" = "$1" ] || { echo "came back: $got"; return 1; }
}
# … perhaps after an establishment that begins by itself
says_back_soon() { until_true says_back "$@"; }

now() { date -u -d "$(kj "$1" status | get .now)" +%s; }
keys_at() { kj "$1" key list | get '.keys | length'; }
# key_at DAEMON MEMBER: of the pair's key, confirmed before waiting
key_at() {
	kj "$1" key list | jq -er --arg d "$device_id" "[.keys[] | select(.device_id == \$d)] | sort_by(.state != \"confirmed\") | .[0] | $2"
}
has_key() { kj "$1" key list | jq -e --arg b "$btid" '[.keys[] | select(.btid == $b)] | length > 0' >/dev/null; }
tunnels_at() { kj "$1" tunnel list | get '.tunnels | length'; }
no_tunnels_at() { [ "$(tunnels_at "$1")" = 0 ]; }
no_tunnels() { no_tunnels_at extdevd && no_tunnels_at mtd; }
secured() { [ "$(tunnels_at extdevd)" -ge 1 ]; }
confirmed() { [ "$(key_at extdevd .state)" = confirmed ] && [ "$(key_at mtd .state)" = confirmed ]; }
runs() { ksctl bsfd bootstrap list --json | get '.bootstraps | length'; }
# nothing_of DAEMON BTID: its store does not name it
nothing_of() {
	[ "$(sqlite3 "$LAB/$1/$1.db" .dump | grep -v 'INTO audit ' | grep -cF "${2%%=*}")" = 0 ] || { echo "$1's store still names $2"; return 1; }
}
# mt_forgets: the MT's store is lost; its card and its MT_ID's file are what is left
mt_forgets() {
	lab stop mtd
	sqlite3 "$LAB/mtd/mtd.db" "DELETE FROM key"
	lab start mtd
}
# other_card: another subscriber's image
other_card() { sed -E 's/^iccid = .*/iccid = "89441000309999999999"/; s/^imsi = .*/imsi = "001010999999999"/' "$LAB/card.conf"; }
