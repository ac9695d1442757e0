#!/usr/bin/env bats
# In GBA_U, Ks and Ks_int_NAF never come into mtd's memory; the IMPI, which mtd must know, is found there by the same search.
load lib
setup_file() { lab_up --gba-u; }
teardown_file() { lab_down; }

@test "Shows 1, C1: GBA_U: Ks and Ks_int_NAF are in the card's process alone" {
	[ "$(id -u)" -eq 0 ] || skip "only root may read a daemon's memory"
	[[ $KSLOCAL_BIN != *san* ]] || skip "a sanitizer's shadow is too large to be searched"
	establish --new
	three_agree
	run python3 - "$ROOT" "$LAB/subscriber.json" "$(pid_of mtd)" "$btid" "$naf_id" "$device_id" <<-'END'
		import json, sys
		root, subscriber, pid, *triple = sys.argv[1:]
		sys.path.insert(0, root + "/test/scenario")
		import expect
		keys = expect.secrets(json.load(open(subscriber)), *triple)
		keys["IMPI"] = json.load(open(subscriber))["impi"].encode()
		found = set()
		with open(f"/proc/{pid}/maps") as maps, open(f"/proc/{pid}/mem", "rb", 0) as mem:
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
		            found |= {n for n, k in keys.items() if k in octets}
		print("searched for:", *sorted(keys))
		print("found:", *sorted(found))
		sys.exit(1 if "IMPI" not in found or found & {"K", "OPc", "CK", "IK", "Ks", "Ks_int_NAF"} or not {"Ks", "Ks_int_NAF"} <= set(keys) else 0)
	END
	echo "$output"
	[ "$status" -eq 0 ]
}
