#!/usr/bin/env bats
# Run by ../19-pcsc.bats in a network namespace. mtd reaches the served card through pcscd, like a card in any reader.
load ../lib
ROOT=$(cd "$BATS_TEST_DIRNAME/../../.." && pwd)

pcscd_up() {
	pcscd -f >>"$BATS_FILE_TMPDIR/pcscd.log" 2>&1 3>&- 4>&- &
	echo $! >"$BATS_FILE_TMPDIR/pcscd.pid"
}
pcscd_down() {
	kill "$(cat "$BATS_FILE_TMPDIR/pcscd.pid")"
	eventually '! kill -0 "$(cat "$BATS_FILE_TMPDIR/pcscd.pid")" 2>/dev/null'
}
setup_file() {
	ip link set lo up
	pcscd_up
	# shellcheck disable=SC2086 # none, or the one option
	lab_up --card vpcd ${CARD_DOES:-}
}
teardown_file() {
	lab_down
	pcscd_down
}
eventually() {
	for _ in $(seq 200); do
		if eval "$1"; then return 0; fi
		sleep 0.05
	done
	echo "never: $1"
	return 1
}
card_ready() { eventually 'kj mtd status | jq -e ".card.state == \"ready\"" >/dev/null'; }
card_out() {
	lab stop card
	eventually 'kj mtd status | jq -e ".card.state == \"none\"" >/dev/null'
}
# BCD as cards have it, filled up with f.
swapped() {
	local d=$1
	[ $((${#d} % 2)) -eq 0 ] || d+=f
	sed 's/\(.\)\(.\)/\2\1/g' <<<"$d"
}
# The octets that opensc-tool shows of the last answer, as hex.
tool() { timeout 20 opensc-tool "$@" 2>/dev/null; }
octets() { tail -n 1 | grep -oE '([0-9A-F]{2} )+' | head -n 1 | tr -d ' ' | tr A-F a-f; }

@test "Shows 2: scenario 1 and scenario 2 through the reader" {
	card_ready
	[ "$(kj mtd uicc status | jq -r .kind)" = pcsc ]
	[[ "$(kj mtd uicc status | jq -r .name)" == "Virtual PCD"* ]]
	establish --new
	[ "$scenario" = 1 ]
	three_agree
	ksctl extdevd key forget --all
	establish
	[ "$scenario" = 2 ]
	three_agree
}

@test "Shows 2: opensc-tool reads EF_ICCID and EF_IMSI of the served card, while mtd has it, too" {
	iccid=$(jq -r .iccid "$LAB/subscriber.json")
	imsi=$(jq -r .imsi "$LAB/subscriber.json")
	[ "$(tool -s 00:A4:00:04:02:3F:00 -s 00:A4:00:04:02:2F:E2 -s 00:B0:00:00:0A | octets)" = "$(swapped "$iccid")" ]
	[ "$(tool -s 00:A4:04:04:07:A0:00:00:00:87:10:02 -s 00:A4:00:04:02:6F:07 -s 00:B0:00:00:09 | octets)" = "08$(swapped "9$imsi")" ]
	establish --new		# what another program selected is not mtd's business
	three_agree
}

@test "a card pulled: no-uicc, no new run; put back: mtd goes on, with the keys it had" {
	establish --force
	before=$(kj mtd key list | jq -c '.keys | map(.kcv) | sort')
	card_out
	[ "$(kj mtd status | jq -r .card.why)" = card-none ]
	run ksctl extdevd establish --new
	[ "$status" -ne 0 ]
	run ksctl mtd uicc eject
	[ "$status" -ne 0 ]
	[[ $output == *"the reader is a real one"* ]]
	lab start card
	card_ready
	[ "$(kj mtd key list | jq -c '.keys | map(.kcv) | sort')" = "$before" ]
	establish --new
	three_agree
}

# pull_at_authenticate FILE: stands between a card and vpcd, its port into FILE, and breaks off when AUTHENTICATE (INS 88) comes
pull_at_authenticate() {
	python3 - "$1" <<-'END'
		import os, select, socket, sys
		door = socket.create_server(("127.0.0.1", 0))
		with open(sys.argv[1] + "+", "w") as f:
		    print(door.getsockname()[1], file=f)
		os.rename(sys.argv[1] + "+", sys.argv[1])
		card, reader = door.accept()[0], socket.create_connection(("127.0.0.1", 35963))
		while True:
		    for s in select.select([card, reader], [], [])[0]:
		        n = int.from_bytes(s.recv(2, socket.MSG_WAITALL), "big")
		        message = s.recv(n, socket.MSG_WAITALL)
		        if n == 0 or s is reader and n > 4 and message[1] == 0x88:
		            sys.exit()
		        (reader if s is card else card).sendall(n.to_bytes(2, "big") + message)
	END
}

@test "Shows 2: a card pulled in the middle of AUTHENTICATE, and put back" {
	card_out
	pull_at_authenticate "$BATS_TEST_TMPDIR/port" 3>&- &
	eventually '[ -s "$BATS_TEST_TMPDIR/port" ]'
	"$KSLOCAL_BIN/ksctl" card serve --port "$(cat "$BATS_TEST_TMPDIR/port")" "$LAB/card.conf" >/dev/null 2>&1 3>&- &
	card_ready
	run kj extdevd establish --new
	[ "$(jq -r .error.code <<<"$output")" = bootstrap-failed ] || [ "$(jq -r .error.code <<<"$output")" = no-uicc ]
	log_has mtd "step='AUTHENTICATE.*reason=card-(broken|none):"
	eventually 'kj mtd status | jq -e ".card.why == \"card-none\"" >/dev/null'
	lab start card
	card_ready
	establish --new
	three_agree
}

@test "a card that stops answering: the loop does not wait; taken out, the run fails; put back, mtd goes on" {
	# stopped, it holds the answer to whatever comes next; the loop does not wait for it
	kill -STOP "$(cut -d' ' -f1 "$LAB/card/pid")"
	ksctl extdevd establish --new >"$BATS_TEST_TMPDIR/out" 2>&1 &
	running=$!
	sleep 0.5
	timeout 10 "$KSLOCAL_BIN/ksctl" --lab "$LAB" mtd status >/dev/null
	kill -KILL "$(cut -d' ' -f1 "$LAB/card/pid")"
	rc=0
	wait "$running" || rc=$?
	[ "$rc" -ne 0 ]
	grep -qE 'no-uicc|uicc-failed' "$BATS_TEST_TMPDIR/out"
	eventually 'kj mtd status | jq -e ".card.why == \"card-none\"" >/dev/null'
	lab stop card
	lab start card
	card_ready
	establish --new
	three_agree
}

@test "pcscd ends and comes back: mtd finds it again by itself" {
	pcscd_down
	eventually 'kj mtd status | jq -e ".card.state == \"none\"" >/dev/null'
	lab stop card
	pcscd_up
	lab start card
	card_ready
	establish --new
	three_agree
}

@test "T=0: 61xx, GET RESPONSE, and an Le that stays away" {
	card_out
	echo 'protocol = t0' >>"$LAB/card.conf"
	lab start card
	card_ready
	establish --new
	three_agree
	[ "$(tool -a | head -n 1 | cut -c1-5)" = 3b:07 ]
}
