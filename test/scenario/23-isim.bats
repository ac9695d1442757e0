#!/usr/bin/env bats
# A card with an ISIM beside its USIM: bootstrapping by either, and keys that come of the ISIM's Ks (uicc { isim_for }). Its private
# identity is a subscriber of its own at the BSF, with the card's K.
load lib
setup_file() {
	lab_up --no-start --set mtd 'uicc.isim_for = { "any" }'
	isim=isim.$(jq -r .impi "$LAB/subscriber.json")
	printf 'isim { impi = "%s" domain = "%s" }\n' "$isim" "${isim#*@}" >>"$LAB/card.conf"
	jq --arg i "$isim" '.impi = $i | .imsi = "00101" + (.imsi[5:] | explode | map(57 - . + 48) | implode)' "$LAB/subscriber.json" >"$LAB/isim.json"
	lab_up
	ksctl bsfd subscriber add "$LAB/isim.json"
}
teardown_file() { lab_down; }

impi_of() { kj bsfd bootstrap list | get --arg b "$1" '.bootstraps[] | select(.btid == $b) | .impi'; }

@test "mtd bootstrap --app: by the ISIM under its own identity, by the USIM under the IMSI's" {
	isim=$(kj mtd bootstrap --app isim | get .btid)
	usim=$(kj mtd bootstrap --app usim | get .btid)
	default=$(kj mtd bootstrap | get .btid)
	[ "$(impi_of "$isim")" = "$(jq -r .impi "$LAB/isim.json")" ]
	[ "$(impi_of "$usim")" = "$(jq -r .impi "$LAB/subscriber.json")" ]
	[ "$(impi_of "$default")" = "$(jq -r .impi "$LAB/subscriber.json")" ]
}

@test "isim_for: scenario 1 and scenario 2 with the ISIM's Ks; all three hold derive.py's key of its identity" {
	mv "$LAB/subscriber.json" "$LAB/usim.json"
	cp "$LAB/isim.json" "$LAB/subscriber.json"	# whose key three_agree expects
	establish --new
	[ "$scenario" = 1 ]
	[ "$(impi_of "$btid")" = "$(jq -r .impi "$LAB/isim.json")" ]
	three_agree
	old=$btid
	ksctl extdevd key forget --all
	establish
	[ "$scenario" = 2 ]
	[ "$btid" = "$old" ]
	three_agree
	mv "$LAB/usim.json" "$LAB/subscriber.json"
}

@test "an application that is none is a usage error; one that the card has not is refused, and named" {
	status_is 2 ksctl mtd bootstrap --app csim
	ksctl mtd uicc eject
	grep -v '^isim' "$LAB/card.conf" >"$LAB/without.conf"
	ksctl mtd uicc insert "$LAB/without.conf"
	until_ready
	run kj mtd bootstrap --app isim
	[ "$status" -eq 4 ]
	[ "$(get .error.reason <<<"$output")" = card-no-isim ]
	kj mtd bootstrap --app usim | get .btid
}

until_ready() {
	for _ in $(seq 100); do
		kj mtd status | jq -e '.card.state == "ready"' >/dev/null && return
		sleep 0.05
	done
	return 1
}
