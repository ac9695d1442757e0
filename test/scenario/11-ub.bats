#!/usr/bin/env bats
# Ub from outside: a client written from ub.md alone bootstraps, curl --digest cannot (Shows 5), and every odd case gets what
# ub.md 6 says. Also what a restart, a kill and a backup put back do to SQN (B2, B4), and that Zn gives what the client computes.
load lib
setup_file() {
	lab_up --set bsfd 'ks_lifetime = "2h"' --set bsfd 'ub.per_source = 2'
}
teardown_file() { lab_down; }
# Every test begins with no challenge open.
setup() { lab clock +61; }

# ub [OPTION]…: one bootstrapping with the lab's subscriber; sets out, and fails when the client's exit code says so
ub() {
	out=$(python3 "$ROOT/test/conform/ub_client.py" --realm "$(lab_get .bsfd.fqdn)" "$@" "$(lab_get .bsfd.ub)" "$LAB/subscriber.json")
}
member() { jq -er "$1" <<<"$out"; }
statuses_are() {
	[ "$(jq -c .statuses <<<"$out")" = "$1" ] || { echo "statuses not $1: $out"; return 1; }
}
count() { kj bsfd bootstrap list | get '.bootstraps | length'; }
newest() { kj bsfd bootstrap list | jq -r '.bootstraps[-1].btid'; }
# refused CODE STATUSES [OPTION]…: no B-TID, that reason in the body, and nothing new in the store
refused() {
	local code=$1 statuses=$2 before
	shift 2
	before=$(newest)
	status_is 1 ub "$@"
	statuses_are "$statuses"
	[[ $(member .body) == "$code: "* ]] || { echo "not $code: $out"; return 1; }
	[ "$(newest)" = "$before" ] || { echo "a B-TID was made"; return 1; }
	log_has bsfd "reason=$code:"
}
# zn_key BTID: result and, if it is a success, key, expiry and IMPI that bsfd gives to the lab's test NAF over Zn
zn_key() {
	python3 - "$ROOT/test/conform" "$(lab_get .bsfd.zn)" "$(lab_get .bsfd.realm)" "$1" "$(lab_get .zn_test.host)" \
		"$(lab_get .zn_test.realm)" "$(lab_get .zn_test.fqdn)" "${2:-$(lab_get .zn_test.protocol)}" <<-'END'
		import sys
		sys.path.insert(0, sys.argv[1])
		import dia
		address, realm, btid, host, own_realm, fqdn, protocol = sys.argv[2:9]
		c = dia.Client(address, host, own_realm).open()
		m = c.ask(c.bir(c.bir_avps(btid, dia.naf_id(fqdn, protocol), realm)))
		key = m.get(dia.ME_KEY, dia.TGPP)
		print(m.result, key.hex() if key else "-")
		c.close()
	END
}
# ks_naf BTID: what derive.py says that key is
ks_naf() {
	python3 - "$ROOT/test/vectors" "$LAB/subscriber.json" "$1" "$(lab_get .zn_test.fqdn)" "$(lab_get .zn_test.protocol)" <<-'END'
		import base64, json, sys
		sys.path.insert(0, sys.argv[1])
		import derive
		sub = json.load(open(sys.argv[2]))
		rand = base64.b64decode(sys.argv[3].split("@")[0])
		m = derive.milenage(bytes.fromhex(sub["k"]), bytes.fromhex(sub["opc"]), rand, bytes(6), bytes(2))
		print(derive.ks_naf(m["ck"], m["ik"], rand, sub["impi"].encode(), sys.argv[4].encode() + bytes.fromhex(sys.argv[5])).hex())
	END
}

@test "Shows 5: a client written from ub.md alone bootstraps; Zn gives the key that it computes" {
	ub
	statuses_are '[401,200]'
	[ "$(member .rspauth)" = true ]
	[[ $(member .server) == *3gpp-gba-tmpi* ]]
	btid=$(member .btid)
	[[ $btid == *"@$(lab_get .bsfd.fqdn)" ]]
	kj bsfd bootstrap list | jq -e --arg b "$btid" '.bootstraps[] | select(.btid == $b)'
	read -r result key <<<"$(zn_key "$btid")"
	[ "$result" = 2001 ]
	[ "$key" = "$(ks_naf "$btid")" ]
}

@test "Zn: another protocol id 5402, another B-TID 5403, and 5403 from the second of expiry on (T1)" {
	ub
	btid=$(member .btid)
	read -r result key <<<"$(zn_key "$btid" 0100000003)"
	[ "$result" = 5402 ]
	[ "$key" = - ]
	read -r result key <<<"$(zn_key "AAAA${btid#????}")"
	[ "$result" = 5403 ]
	lab clock +7201
	read -r result key <<<"$(zn_key "$btid")"
	[ "$result" = 5403 ]
	[ "$(count)" = 0 ]
}

@test "Shows 5: curl --digest cannot bootstrap" {
	url=$(lab_get .bsfd.ub)
	impi=$(get .impi <"$LAB/subscriber.json")
	k=$(get .k <"$LAB/subscriber.json")
	before=$(newest)
	run curl -s -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' --digest --user "$impi:$k" "$url"
	[ "$output" = 400 ]
	grep -q '^ub-no-authorization: ' "$BATS_TEST_TMPDIR/body"
	# even when it is pushed over the first step it has nothing that answers AKAv1-MD5
	run curl -s -D "$BATS_TEST_TMPDIR/head" -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' \
		-H "Authorization: Digest username=\"$impi\", realm=\"$(lab_get .bsfd.fqdn)\", nonce=\"\", uri=\"/\", response=\"\"" "$url"
	[ "$output" = 401 ]
	grep -qi '^WWW-Authenticate: Digest .*algorithm=AKAv1-MD5' "$BATS_TEST_TMPDIR/head"
	run curl -s -o "$BATS_TEST_TMPDIR/body" -w '%{http_code}' --request-target / \
		-H "Authorization: Digest username=\"$impi\", realm=\"$(lab_get .bsfd.fqdn)\", nonce=\"\", uri=\"/\", response=\"\", algorithm=MD5" "$url"
	[ "$output" = 400 ]
	[ "$(newest)" = "$before" ]
}

@test "AUTS: SQN follows the card, once per run, and the next run needs none" {
	card=$BATS_TEST_TMPDIR/card
	ub --card "$card" --card-seq 1048576
	statuses_are '[401,401,200]'
	[ "$(member .resyncs)" = 1 ]
	log_has bsfd 'SQN follows the card'
	ub --card "$card"
	statuses_are '[401,200]'
	# 2^20 further, and past the jump limit of the card
	ub --card "$card" --card-seq 2000000
	statuses_are '[401,401,200]'
	rm "$card"
	ub --card-seq 600000000
	statuses_are '[401,401,200]'
	# the MT's own card, far behind now, asks for an AUTS too and gets its key
	ksctl nafkcd wait peer --timeout 40	# the clock moved two hours: its watchdog took bsfd for deaf
	establish --new
	three_agree
}

@test "wrong AUTS: no B-TID, a fresh challenge, SQN where it was" {
	sqn=$(kj bsfd subscriber list | get '.subscribers[0].sqn')
	refused ub-auts-wrong '[401,401]' --card-seq 5000000000 --spoil auts
	after=$(kj bsfd subscriber list | get '.subscribers[0].sqn')
	[ $((after - sqn)) -lt 65536 ] || { echo "SQN moved from $sqn to $after"; return 1; }
}

@test "TMPI: the second run goes by it, A1 with the TMPI and all keys with the IMPI; unknown ones get 403" {
	ub
	tmpi=$(member .tmpi)
	ub --username "$tmpi"
	statuses_are '[401,200]'
	btid=$(member .btid)
	[ "$(kj bsfd bootstrap list | jq -er --arg b "$btid" '.bootstraps[] | select(.btid == $b) | .impi')" = "$(get .impi <"$LAB/subscriber.json")" ]
	read -r result key <<<"$(zn_key "$btid")"
	[ "$key" = "$(ks_naf "$btid")" ]
	refused ub-tmpi-unknown '[403]' --username "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA@tmpi.bsf.3gppnetwork.org"
	# a client that does not say the token gets none
	ub --agent 3gpp-gba
	[ "$(jq .tmpi <<<"$out")" = null ]
}

@test "wrong response: 401 with a fresh challenge and no B-TID; the right one then works" {
	refused ub-response-wrong '[401,401]' --spoil response
	[ "$(jq .www.stale <<<"$out")" = null ]
	lab clock +61
	refused ub-response-wrong '[401,401]' --spoil res
	lab clock +61
	refused ub-response-wrong '[401,401]' --spoil body
	lab clock +61
	ub
}

@test "stale nonce: 401 with stale=true after a minute" {
	coproc CLIENT { python3 "$ROOT/test/conform/ub_client.py" --hold --realm "$(lab_get .bsfd.fqdn)" "$(lab_get .bsfd.ub)" "$LAB/subscriber.json"; }
	read -r held <&"${CLIENT[0]}"
	[ "$held" = held ]
	[ "$(kj bsfd status | get .challenges)" = 1 ]
	lab clock +61
	[ "$(kj bsfd status | get .challenges)" = 0 ]
	echo >&"${CLIENT[1]}"
	read -r out <&"${CLIENT[0]}"
	statuses_are '[401,401]'
	[ "$(member .www.stale)" = true ]
	[[ $(member .body) == 'ub-nonce-unknown: '* ]]
}

@test "replay: the same answer again makes no second Ks" {
	ub --spoil twice
	[ "$(member .again)" = 401 ]
	[ "$(member .www.stale)" = true ]
	[ "$(newest)" = "$(member .btid)" ]
	[ "$(kj bsfd bootstrap list | jq '[.bootstraps[].btid] | length - (unique | length)')" = 0 ]
}

@test "unknown subscriber 403, malformed 400, other realm 400, other method 405, other path 404" {
	url=$(lab_get .bsfd.ub)
	refused ub-impi-unknown '[403]' --username nobody@ims.mnc001.mcc001.3gppnetwork.org
	refused ub-username '[400]' --username nobody
	refused ub-realm '[400]' --realm bsf.example.org
	[ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Digest username=' "$url")" = 400 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' -H 'Authorization: Basic Zm9vOmJhcg==' "$url")" = 400 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' -d x "$url")" = 405 ]
	[ "$(curl -s -o /dev/null -w '%{http_code}' "${url}x")" = 404 ]
	head -c 100000 /dev/zero | tr '\0' a >"$BATS_TEST_TMPDIR/long"
	code=$(curl -s -o /dev/null -w '%{http_code}' -H "@$BATS_TEST_TMPDIR/long" -H "Authorization: Digest username=$(head -c 60000 "$BATS_TEST_TMPDIR/long")" "$url" || true)
	[ "$code" = 431 ] || [ "$code" = 000 ]
	ub
}

@test "odd clients of the field are served: qop auth, no qop, no algorithm, no opaque" {
	ub --qop auth
	ub --qop none
	ub --leave-out algorithm
	ub --leave-out opaque
}

@test "B1: each B-TID lives to its own expiry, the newest eight are kept" {
	for i in 1 2 3 4 5 6 7 8 9; do
		ub
		btids[i]=$(member .btid)
	done
	[ "$(count)" = 8 ]
	read -r result key <<<"$(zn_key "${btids[1]}")"
	[ "$result" = 5403 ]
	for i in 2 9; do
		read -r result key <<<"$(zn_key "${btids[i]}")"
		[ "$result" = 2001 ]
		[ "$key" = "$(ks_naf "${btids[i]}")" ]
	done
}

@test "B2: two open challenges per address, the third waits for Retry-After, and nobody is evicted" {
	coproc CLIENT { python3 "$ROOT/test/conform/ub_client.py" --hold --realm "$(lab_get .bsfd.fqdn)" "$(lab_get .bsfd.ub)" "$LAB/subscriber.json"; }
	read -r held <&"${CLIENT[0]}"
	[ "$held" = held ]
	status_is 1 ub --step1
	statuses_are '[401]'
	for _ in 1 2 3 4 5; do
		refused ub-quota '[503]' --step1
		[ "$(member .retry_after)" -ge 1 ]
		[ "$(member .retry_after)" -le 60 ]
	done
	echo >&"${CLIENT[1]}"
	read -r out <&"${CLIENT[0]}"
	statuses_are '[401,200]'
	# the MT comes from the same address here: its time comes when that challenge has ended
	lab clock +61
	ksctl nafkcd wait peer --timeout 40
	establish --new
	three_agree
}

@test "B2: a killed bsfd skips the rest of its block and keeps what it had said" {
	card=$BATS_TEST_TMPDIR/card
	ub --card "$card"
	btid=$(member .btid)
	kill -9 "$(pid_of bsfd)"
	lab stop bsfd
	lab start bsfd
	kj bsfd bootstrap list | jq -e --arg b "$btid" '.bootstraps[] | select(.btid == $b)'
	ub --card "$card"
	statuses_are '[401,200]'		# fresh for the card: no SQN came twice
	[ "$(zn_key "$btid" | cut -d' ' -f1)" = 2001 ]
}

@test "B4: a backup put back raises every SQN by 2^16 first, so that no card meets an old one" {
	card=$BATS_TEST_TMPDIR/card
	store=$LAB/bsfd/bsfd.db
	ub --card "$card"
	lab stop bsfd
	not log_has bsfd 'every SQN raised' >/dev/null
	cp "$store" "$BATS_TEST_TMPDIR/backup"
	lab start bsfd
	for _ in $(seq 40); do
		ub --card "$card"
		statuses_are '[401,200]'
	done
	lab stop bsfd
	rm -f "$store-wal" "$store-shm"
	cp "$BATS_TEST_TMPDIR/backup" "$store"
	lab start bsfd
	log_has bsfd 'every SQN raised by 65536'
	ub --card "$card"
	statuses_are '[401,200]'		# without the raise: [401,401,200]
	# a store without its side file was put back, too
	lab stop bsfd
	rm "$store.generation"
	lab start bsfd
	[ "$(grep -c 'every SQN raised by 65536' "$LAB/bsfd/log")" = 2 ]
	ub --card "$card"
	statuses_are '[401,200]'
}

@test "no secret of a run is in bsfd's log, trace or store" {
	ub
	python3 - "$ROOT/test/vectors" "$LAB/subscriber.json" "$(member .btid)" "$LAB"/bsfd/* <<-'END'
		import base64, json, sys
		sys.path.insert(0, sys.argv[1])
		import derive
		sub = json.load(open(sys.argv[2]))
		k, opc = bytes.fromhex(sub["k"]), bytes.fromhex(sub["opc"])
		m = derive.milenage(k, opc, base64.b64decode(sys.argv[3].split("@")[0]), bytes(6), bytes(2))
		bad = 0
		for path in sys.argv[4:]:
		    data = open(path, "rb").read()
		    for name, v in (("K", k), ("OPc", opc), ("CK", m["ck"]), ("IK", m["ik"]), ("RES", m["res"])):
		        for form in (v, v.hex().encode(), v.hex().upper().encode(), base64.b64encode(v).rstrip(b"=")[:-1]):
		            if form in data:
		                print("%s holds %s" % (path, name))
		                bad = 1
		sys.exit(bad)
	END
}
