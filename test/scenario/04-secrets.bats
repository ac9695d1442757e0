#!/usr/bin/env bats
# Shows 7: none of K, OPc, CK, IK, RES, Ks, Ks_NAF, Ks_local_MT lies in a store, log, trace, process argument or environment,
# raw, in hex or in base64, at debug level too.
load lib
setup_file() {
	lab_up --set bsfd 'log_level = debug' --set nafkcd 'log_level = debug' --set mtd 'log_level = debug' --set extdevd 'log_level = debug'
}
teardown_file() { lab_down; }

triple() { echo "$btid $naf_id $device_id" >>"$BATS_FILE_TMPDIR/triples"; }
search() { python3 "$ROOT/test/scenario/expect.py" search "$LAB/subscriber.json" "$BATS_FILE_TMPDIR/triples" "$@"; }

@test "Shows 7: runs of every kind, right and wrong" {
	establish --new; triple
	establish --new; triple
	establish --force
	ksctl extdevd key forget --all
	establish; triple
	lab stop bsfd
	ksctl extdevd key forget --all
	ksctl extdevd establish --force || true
	lab start bsfd
	establish; triple
	# the second Ua port, whose password is base64 of Ks_NAF; a key that is taken back
	ks=$(python3 "$ROOT/test/scenario/expect.py" naf-key "$LAB/subscriber.json" "$btid" "$naf_id" | xxd -r -p | base64 -w0)
	for password in "$ks" wrong; do
		curl -sS --max-time 5 --cacert "$LAB/pki/ca.pem" --digest -u "$btid:$password" -H "X-KSLocal-Device-ID: $device_id" \
			--connect-to "::$(lab_get .nafkcd.ua_mt | sed 's|https://||; s|/.*||')" "https://${naf_id%%/*}/keycentre/v1/key-state" >/dev/null
	done
	ksctl nafkcd key invalidate --btid "$btid" --device "$device_id"
	curl -sS --max-time 5 --digest -u 'a:b' "$(lab_get .bsfd.ub)" >/dev/null
	ksctl bsfd subscriber add "$LAB/subscriber.json" || true
	sed 's/"k": "../"k": "zz/' "$LAB/subscriber.json" >"$BATS_FILE_TMPDIR/bad.json"
	run ksctl bsfd subscriber add "$BATS_FILE_TMPDIR/bad.json"
	[ "$status" -ne 0 ]
	echo "$output" >"$BATS_FILE_TMPDIR/answers"
	for v in 'bsfd subscriber list' 'bsfd bootstrap list' 'nafkcd key list --all' 'nafkcd block list' 'nafkcd audit' 'nafkcd device list' 'mtd key list' 'mtd status' 'extdevd key list' \
		'bsfd status' 'nafkcd status' 'extdevd status' 'ladder'; do
		# shellcheck disable=SC2086
		kj $v >>"$BATS_FILE_TMPDIR/answers"
	done
}

@test "Shows 7: the search itself finds a key that lies about, in each spelling (a test that can fail)" {
	k=$(jq -r .k "$LAB/subscriber.json")
	for spelling in "$k" "${k^^}" "$(xxd -r -p <<<"$k" | base64)" "$( (printf x; xxd -r -p <<<"$k") | base64)" "$( (printf xy; xxd -r -p <<<"$k"; printf z) | base64)"; do
		printf 'something %s else' "$spelling" >"$BATS_TEST_TMPDIR/planted"
		status_is 1 search "$BATS_TEST_TMPDIR/planted"
	done
	(printf abc; xxd -r -p <<<"$k"; printf def) >"$BATS_TEST_TMPDIR/planted"
	status_is 1 search "$BATS_TEST_TMPDIR/planted"
}

@test "Shows 7: stores (with WAL), logs, traces, ready lines" {
	mapfile -t files < <(find "$LAB"/bsfd "$LAB"/nafkcd "$LAB"/mtd "$LAB"/extdevd -type f)
	[ ${#files[@]} -ge 16 ]
	search "${files[@]}"
}

@test "Shows 7: what ksctl ever answered" { search "$BATS_FILE_TMPDIR/answers"; }

@test "S2: arguments and environment of the daemons" {
	for d in bsfd nafkcd mtd extdevd; do
		search "/proc/$(pid_of $d)/cmdline" "/proc/$(pid_of $d)/environ"
	done
}

@test "Shows 7: stores and files beside them are for their owner alone, card image and store keys too" {
	run find "$LAB" -type f -perm /077 ! -name '*.pem'
	[ -z "$output" ] || { echo "$output"; return 1; }
}

@test "Shows 7: no core dumps: the limit of each daemon is 0" {
	for d in bsfd nafkcd mtd extdevd; do
		grep -qE 'Max core file size +0 +0' "/proc/$(pid_of $d)/limits" || { echo $d; return 1; }
	done
}
