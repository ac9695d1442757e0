#!/usr/bin/env bats
# C1: the software card is a process of its own. K and OPc are in its memory and in nobody else's; it ends with mtd.
load lib
setup_file() { lab_up; }
teardown_file() { lab_down; }

card_pid() { pgrep -P "$(pid_of mtd)"; }

eventually() {
	for _ in $(seq 100); do
		if eval "$1"; then return 0; fi
		sleep 0.05
	done
	echo "never: $1"
	return 1
}

# Which of K and OPc a process's memory holds, as octets or as hex.
memory_holds() {
	python3 - "$1" "$LAB/subscriber.json" <<-'END'
		import json, sys
		keys = {n: bytes.fromhex(json.load(open(sys.argv[2]))[n]) for n in ("k", "opc")}
		found = set()
		with open(f"/proc/{sys.argv[1]}/maps") as maps, open(f"/proc/{sys.argv[1]}/mem", "rb", 0) as mem:
		    for line in maps:
		        area, access = line.split()[:2]
		        if access[0] != "r" or "[v" in line:
		            continue
		        start, end = (int(x, 16) for x in area.split("-"))
		        for at in range(start, end, 1 << 24):
		            try:
		                mem.seek(at)
		                octets = mem.read(min(end - at, (1 << 24) + 64))
		            except OSError:
		                continue
		            found |= {n for n, k in keys.items() if k in octets or k.hex().encode() in octets.lower()}
		print(*sorted(found))
	END
}

@test "C1: K and OPc are in the card's process, and not in mtd's memory, after runs" {
	[ "$(id -u)" -eq 0 ] || skip "only root may read a daemon's memory"
	[[ $KSLOCAL_BIN != *san* ]] || skip "a sanitizer's shadow is too large to be searched"
	establish --new
	establish --force
	[ "$(memory_holds "$(card_pid)")" = "k opc" ]
	[ "$(memory_holds "$(pid_of mtd)")" = "" ]
}

@test "C1: the card has no network: it may not even make a socket" {
	grep -q '^Seccomp:[[:space:]]*2' "/proc/$(card_pid)/status"
	grep -q '^NoNewPrivs:[[:space:]]*1' "/proc/$(card_pid)/status"
	[ "$(find "/proc/$(card_pid)/fd" -lname 'socket:*' | wc -l)" -le 4 ]
}

@test "C1: the card's process dies: no card, and mtd goes on; with mtd killed no card is left" {
	kill -9 "$(card_pid)"
	eventually 'kj mtd status | jq -e ".card.why == \"card-none\""'
	lab stop mtd
	lab start mtd
	establish --force
	card=$(card_pid)
	kill -9 "$(pid_of mtd)"
	eventually "! kill -0 $card"
}

@test "C1: eject and insert: no card no key; the same card put back keeps what there was" {
	lab start mtd
	establish --force
	before=$(kj mtd key list | jq -c '.keys | map(.kcv) | sort')
	ksctl mtd uicc eject
	[ "$(kj mtd uicc status | jq -c '[.kind, .name, .present]')" = '["software","",false]' ]
	run ksctl mtd uicc eject
	[ "$status" -ne 0 ]
	run ksctl extdevd establish --force
	[ "$status" -ne 0 ]
	ksctl mtd uicc insert "$LAB/card.conf"
	run ksctl mtd uicc insert "$LAB/card.conf"
	[ "$status" -ne 0 ]
	[[ $output == *"a card in the reader already"* ]]
	eventually 'kj mtd status | jq -e ".card.state == \"ready\""'
	[ "$(kj mtd key list | jq -c '.keys | map(.kcv) | sort')" = "$before" ]
	establish --force
}

@test "C4: a wrong image is refused, and the log has file, line and what was expected" {
	ksctl mtd uicc eject
	sed 's/^iccid.*/iccid = "12"/' "$LAB/card.conf" >"$LAB/bad.conf"
	run ksctl mtd uicc insert "$LAB/bad.conf"
	[ "$status" -ne 0 ]
	[[ $output == *"the card's image cannot be used"* ]]
	grep -qE 'bad.conf:[0-9]+: iccid: expected 18 to 20 digits' "$LAB/mtd/log"
	ksctl mtd uicc insert "$LAB/card.conf"
	eventually 'kj mtd status | jq -e ".card.state == \"ready\""'
}

@test "C2: another card: the MT's keys of the first are gone, and come not back with it" {
	establish --force
	lab clock +60			# the WAL is empty: what comes now is the change of cards alone
	grep -qF "$btid" "$LAB"/mtd/mtd.db*
	[ "$(kj mtd key list | jq '.keys | length')" -gt 0 ]
	ksctl mtd uicc eject
	sed 's/^iccid.*/iccid = "89882110000000009999"/' "$LAB/card.conf" >"$LAB/other.conf"
	ksctl mtd uicc insert "$LAB/other.conf"
	eventually 'kj mtd status | jq -e ".card.icc_id == \"89882110000000009999\""'
	[ "$(kj mtd key list | jq '.keys | length')" -eq 0 ]
	lab clock +60			# by then the WAL is truncated (T1)
	not grep -lF "$btid" "$LAB"/mtd/mtd.db*
	ksctl mtd uicc eject
	ksctl mtd uicc insert "$LAB/card.conf"
	eventually 'kj mtd status | jq -e ".card.state == \"ready\""'
	[ "$(kj mtd key list | jq '.keys | length')" -eq 0 ]
	establish --force
}
