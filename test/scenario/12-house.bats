#!/usr/bin/env bats
# The checkers themselves: each house rule has a planted offence that scripts/lint must name; the runners count what fails.
load lib

setup_file() {
	# a copy of the tree, in which offences may be planted
	export TREE=$BATS_FILE_TMPDIR/tree
	mkdir "$TREE"
	(cd "$ROOT" && { git ls-files -co --exclude-standard 2>/dev/null || find . -type f ! -path './build/*'; } | xargs -d '\n' cp --parents -t "$TREE")
	(cd "$TREE" && git init -q . && git add -A && git -c user.name=t -c user.email=t@t commit -qm t)
}
# offence FILE TEXT RULE: appended to FILE; caught: one run of lint must name every rule with its file
offence() {
	mkdir -p "$(dirname "$TREE/$1")"
	printf '%b\n' "$2" >>"$TREE/$1"
	planted+=("$1|$3")
}
caught() {
	local x bad=0
	run "$TREE/scripts/lint"
	(cd "$TREE" && git checkout -q . && git clean -fdq)
	[ "$status" -eq 1 ]
	for x in "${planted[@]}"; do
		# a rule's offences stand before the line that names it, and after the one of the rule before
		awk -v f="${x%%|*}" -v r="lint: ${x#*|}" '/^lint: / { if (index($0, r) == 1 && seen) ok = 1; seen = 0; next }
			index($0, f ":") == 1 || index($0, f) { seen = 1 } END { exit !ok }' <<<"$output" || { echo "not found: $x"; bad=1; }
	done
	[ $bad -eq 0 ] || { echo "$output"; return 1; }
}

@test "lint finds nothing in this tree" {
	run "$TREE/scripts/lint"
	[ "$status" -eq 0 ] || { echo "$output"; return 1; }
	[[ ${lines[-1]} =~ ^[0-9]+\ passed,\ 0\ failed$ ]]
}
@test "lint: library headers, rooms, functions" {
	offence common/kdf.c '#include <event2/event.h>' 'only loop, post'
	offence bsfd/ub.c '#include <curl/curl.h>' 'only loop, post'
	offence mtd/gba.c '#include "bsfd/store.h"' 'mtd includes its own'
	offence common/kdf.c '#include "nafkcd/ua.h"' 'common knows no daemon'
	offence common/kdf.c 'void f(char *a) { strcpy(a, "x"); }' 'no strcpy'
	offence extdevd/store.c 'int g(void) { return system("true"); }' 'no strcpy'
	offence common/kdf.c 'void h(void) { usleep(1); }' 'no sleep'
	offence nafkcd/store.c 'long t(void) { return time(NULL); }' "the kernel's time"
	caught
}
@test "lint: W1, reasons, door plates, trailing blanks, rules without a test" {
	offence common/kdf.c '/* ks_local */' 'W1'
	offence doc/man/ksctl.1 '.Fl Fl ks_local' 'W1'
	offence common/reason.def 'REASON(TWICE, "internal", 0, NULL, "refused", 0, "a", "b", "c")' 'reason codes are unique'
	offence common/reason.def 'REASON(SHOUT, "SHOUT", 0, NULL, "refused", 0, "a", "b", "c")' 'reason codes are lower case'
	offence common/reason.def 'REASON(FAR, "far", 0, NULL, "refused", 0, "a", "b", "compare with ub.md 3")' 'a reason names no paper'
	offence common/plain.h '#ifndef COMMON_PLAIN_H\n#define COMMON_PLAIN_H\n#endif' 'every header is a door plate'
	offence common/kdf.c 'int x;   ' 'no blanks at the end'
	offence common/untested_thing.h '/* untested_thing: nothing. */\n#ifndef COMMON_UNTESTED_THING_H\n#define COMMON_UNTESTED_THING_H\n#endif' 'every module of common has a unit test'
	offence test/RULES "Q$((70 + 7))\tno such rule" 'every rule in test/RULES'
	offence scripts/demo 'echo $x[0]\nunused=1' 'shellcheck'
	caught
}

@test "run-unit counts a failing check, a crash and a program without tests" {
	mkdir "$BATS_TEST_TMPDIR/p"
	printf '#!/bin/sh\necho "100%%: Checks: 3, Failures: 0, Errors: 0"\n' >"$BATS_TEST_TMPDIR/p/good"
	printf '#!/bin/sh\necho "66%%: Checks: 3, Failures: 1, Errors: 0"; exit 1\n' >"$BATS_TEST_TMPDIR/p/bad"
	printf '#!/bin/sh\nkill -SEGV $$\n' >"$BATS_TEST_TMPDIR/p/crash"
	printf '#!/bin/sh\nexit 0\n' >"$BATS_TEST_TMPDIR/p/empty"
	chmod +x "$BATS_TEST_TMPDIR"/p/*
	run "$ROOT/test/run-unit" "$BATS_TEST_TMPDIR/p/good"
	[ "$status/${lines[-1]}" = "0/3 passed, 0 failed" ]
	run "$ROOT/test/run-unit" "$BATS_TEST_TMPDIR"/p/*
	[ "$status/${lines[-1]}" = "1/5 passed, 3 failed" ] || { echo "$output"; return 1; }
}

@test "run-scenario counts a failing test, a file that does not parse and one that stops half-way" {
	printf '@test "a" { true; }\n@test "b" { false; }\n' >"$BATS_TEST_TMPDIR/x.bats"
	printf '@test "a" { true; \n' >"$BATS_TEST_TMPDIR/y.bats"
	printf '@test "a" { true; }\n@test "b" { kill -KILL $PPID; kill -KILL $$; }\n@test "c" { true; }\n' >"$BATS_TEST_TMPDIR/z.bats"
	for f in x y z; do
		run "$ROOT/test/run-scenario" "$BATS_TEST_TMPDIR/$f.bats"
		[ "$status" -eq 1 ] || { echo "$f: $output"; return 1; }
		[[ ${lines[-1]} =~ ^[0-9]+\ passed,\ [1-9][0-9]*\ failed$ ]] || { echo "$f: $output"; return 1; }
	done
}

@test "check: an unknown stage is a usage error; a failing stage is counted and shown" {
	run "$ROOT/scripts/check" nonsense
	[ "$status" -eq 2 ]
	printf '#!/bin/sh\necho broken rule\necho "4 passed, 2 failed"\nexit 1\n' >"$TREE/scripts/lint"
	run "$TREE/scripts/check" lint tree
	cp "$ROOT/scripts/lint" "$TREE/scripts/lint"
	[ "$status" -eq 1 ]
	[[ $output == *'broken rule'* ]]
	[ "${lines[-1]}" = '5 passed, 2 failed' ] || { echo "$output"; return 1; }
}
