# zn.bash: what the bats files about Zn share, on top of test/scenario/lib.bash.
load ../scenario/lib
CONFORM=$ROOT/test/conform
CONFORM_BIN=${CONFORM_BIN:-$ROOT/build/plain/conform}

# shellcheck disable=SC2034 # for its callers
# btid_new: a bootstrapping by a client from outside; sets btid
btid_new() {
	btid=$(python3 "$CONFORM/ub_client.py" --realm "$(lab_get .bsfd.fqdn)" "$(lab_get .bsfd.ub)" "$LAB/subscriber.json" | jq -er .btid)
}
# naf_key BTID NAF_ID: Ks_NAF as derive.py's functions give it
naf_key() { python3 "$ROOT/test/scenario/expect.py" naf-key "$LAB/subscriber.json" "$@"; }
test_naf_id() { echo "$(lab_get .zn_test.fqdn)/$(lab_get .zn_test.protocol)"; }
port_of() { local a; a=$(lab_get "$1") && echo "${a##*:}"; }
free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }

# fd_naf tcp|tls BTID [WORD]…: a NAF on libfdcore, as zn_test, asks bsfd; its answer as JSON
fd_naf() {
	local how=$1 b=$2 port tls=no
	shift 2
	if [ "$how" = tls ]; then tls=yes port=$(port_of .bsfd.zn_tls); else port=$(port_of .bsfd.zn); fi
	timeout 60 "$CONFORM_BIN/fd_naf" "host=$(lab_get .zn_test.host)" "realm=$(lab_get .zn_test.realm)" "peer=$(lab_get .bsfd.host)" \
		"peer_realm=$(lab_get .bsfd.realm)" address=127.0.0.1 "port=$port" "tls=$tls" "cert=$(lab_get .zn_test.cert)" \
		"key=$(lab_get .zn_test.key)" "ca=$(lab_get .ca)" "fqdn=$(lab_get .zn_test.fqdn)" "protocol=$(lab_get .zn_test.protocol)" "btid=$b" "$@"
}
# erl_naf tcp|tls BTID [FQDN]: the same on Erlang's diameter
erl_naf() {
	local how=$1 b=$2 port
	port=$(port_of .bsfd.zn)
	set -- "${3:-$(lab_get .zn_test.fqdn)}" "$(lab_get .zn_test.protocol)"
	if [ "$how" = tls ]; then
		port=$(port_of .bsfd.zn_tls)
		set -- "$@" "$(lab_get .zn_test.cert)" "$(lab_get .zn_test.key)" "$(lab_get .ca)"
	fi
	timeout 60 escript "$CONFORM/erl_naf" "$(lab_get .zn_test.host)" "$(lab_get .zn_test.realm)" "$(lab_get .bsfd.host)" \
		"$(lab_get .bsfd.realm)" 127.0.0.1 "$port" "$b" "$@"
}
