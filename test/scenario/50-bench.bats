#!/usr/bin/env bats
# alone
# The bench measures, and says what it measured; many devices come and come again. How fast is not this test's business.
load lib
setup_file() {
	make -s -C "$ROOT" bench-bins >"$BATS_FILE_TMPDIR/make" 2>&1 || { cat "$BATS_FILE_TMPDIR/make"; return 1; }
}

@test "bench: its arithmetic, its JSON and its page" {
	run python3 "$ROOT/test/bench/test_table.py"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
}
@test "bench: rows with ratio, bound and sense, as JSON and as a page" {
	command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || skip "nginx is missing: scripts/deps bench"
	export BENCH_RUNS=1 BENCH_SECONDS=1 BENCH_KEYS=2000 BENCH_JSON=$BATS_TEST_TMPDIR/bench.json B=$ROOT/build/plain TMPDIR=/tmp
	run "$ROOT/test/bench/run" --page full kept held zn scenario-2 many-keys memory
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	[ "$(jq 'length' "$BENCH_JSON")" -eq 8 ]
	# each row was measured: a shortfall here is only one of speed
	jq -e 'all(.[]; (.ratio | type) == "number" and .runs >= 1 and (.sense == "at-least" or .sense == "at-most")
		and .met == (if .sense == "at-least" then .ratio >= .bound else .ratio <= .bound end))' "$BENCH_JSON" ||
		{ echo "$output"; cat "$BENCH_JSON"; return 1; }
	[[ $output == *"handshake, full"*"ours"*"peer"* ]]
}
@test "bench: what it cannot do it says in one line, and writes nothing" {
	export BENCH_JSON=$BATS_TEST_TMPDIR/bench.json B=$ROOT/build/plain
	page=$(cksum <"$ROOT/doc/PERFORMANCE")
	run "$ROOT/test/bench/run" no-such-row
	[ "$status" -eq 2 ]
	[[ $output == *no-such-row* ]]
	# the page is of one whole run
	run "$ROOT/test/bench/run" --write-page zn
	[ "$status" -eq 2 ]
	[ "${#lines[@]}" -eq 1 ]
	B=$BATS_TEST_TMPDIR run "$ROOT/test/bench/run" --write-page
	[ "$status" -eq 2 ]
	[ "${#lines[@]}" -eq 1 ]
	[[ $output == *"not built: run 'make bench'"* ]]
	[ ! -e "$BENCH_JSON" ]
	[ "$(cksum <"$ROOT/doc/PERFORMANCE")" = "$page" ]
}
@test "endure: 150 devices, each twice, no error, memory flat" {
	B=$ROOT/build/plain TMPDIR=/tmp run "$ROOT/test/bench/endure" 150 3
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	[[ $output == *"300 operations of 150 devices"*"0 failed, 150 sessions resumed"* ]]
}
