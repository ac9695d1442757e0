#!/usr/bin/env bats
# doc/TOUR names files and functions; what it names is there.

setup() { cd "$BATS_TEST_DIRNAME/../.." || return 1; }

# a name without a folder is common's
where() { if [ -e "$1" ]; then echo "$1"; else echo "common/$1"; fi; }

@test "TOUR: every file that it names is there" {
	missing=
	for f in $(grep -oE '\b[a-z]+(/[a-z0-9_-]+)*/[a-z0-9_-]+\.(c|h|def|bats)\b' doc/TOUR | sort -u); do
		[ -e "$f" ] || missing="$missing $f"
	done
	echo "missing:$missing"
	[ -z "$missing" ]
}

@test "TOUR: every function stands in the file that it names" {
	n=0 missing=
	while IFS=: read -r file function; do
		n=$((n + 1))
		grep -qE "^${function# }\(" "$(where "$file")" || missing="$missing $file:$function"
	done < <(grep -oE '[a-z0-9_/]+\.c: [a-z0-9_]+' doc/TOUR | sort -u)
	echo "named: $n, missing:$missing"
	[ "$n" -gt 30 ]
	[ -z "$missing" ]
}
