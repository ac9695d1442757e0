# lib.bash: what the scenarios share. A bats file says "load lib", and setup_file/teardown_file call lab_up/lab_down: one lab
# per file, in a directory of its own, under a register of its own, so that files run side by side.

ROOT=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)
export ROOT
export KSLOCAL_BIN=${KSLOCAL_BIN:-$ROOT/build/plain/bin}
LAB=${BATS_FILE_TMPDIR:-$BATS_RUN_TMPDIR}/lab
export LAB
export XDG_RUNTIME_DIR=${BATS_FILE_TMPDIR:-$BATS_RUN_TMPDIR}/user
unset KSLOCAL_LAB
export PYTHONDONTWRITEBYTECODE=1	# nothing untracked in the tree
umask 077

lab() { "$ROOT/scripts/lab" --dir "$LAB" "$@"; }
# lab_up [OPTION OF lab up]...
lab_up() {
	mkdir -p "$XDG_RUNTIME_DIR"
	if ! lab up "$@" >"$BATS_FILE_TMPDIR/up.log" 2>&1; then
		cat "$BATS_FILE_TMPDIR/up.log"
		return 1
	fi
}
# lab_whole: starts what a test before left stopped
lab_whole() {
	local d
	lab status >/dev/null && return
	for d in bsfd nafkcd mtd extdevd; do
		lab status | grep -q "^$d .*does not run" && { lab start "$d" || return 1; }
	done
	return 0
}
# On failure the logs are the interesting thing; bats shows what a failing teardown_file or test prints.
lab_down() {
	lab down >"$BATS_FILE_TMPDIR/down.log" 2>&1 || cat "$BATS_FILE_TMPDIR/down.log"
	# a sanitizer's or an assertion's words must not pass unseen
	not grep -HnE 'Sanitizer|runtime error:|Assertion|fatal:' "$LAB"/*/log
}

ksctl() { "$KSLOCAL_BIN/ksctl" --lab "$LAB" "$@"; }
# kj DAEMON VERB…: its JSON
kj() { ksctl --json "$@"; }
# lab_get .bsfd.ub: a member of lab.json
lab_get() { jq -er "$1" "$LAB/lab.json"; }
# get [JQ OPTION]… FILTER <<<JSON: a member that must be there; fails for false and null
get() { jq -er "$@"; }

# establish [OPTION]...: runs it and sets scenario btid naf_id device_id kcv expires mt_id reused run
establish() {
	local m
	answer=$(kj extdevd establish "$@") || { echo "establish: exit $?: $answer"; return 1; }
	for m in scenario btid naf_id device_id kcv expires mt_id reused run; do
		printf -v "$m" '%s' "$(jq -r ".$m" <<<"$answer")"
	done
}
# The key check value that derive.py's functions give for a triple of this lab's subscriber.
expected_kcv() { python3 "$ROOT/test/scenario/expect.py" kcv "$LAB/subscriber.json" "$@"; }
# kcv_at DAEMON BTID [DEVICE_ID]: what that holder says about the key
kcv_at() {
	kj "$1" key list | jq -er --arg b "$2" --arg d "${3:-}" '.keys[] | select(.btid == $b and ($d == "" or .device_id == $d)) | .kcv'
}
# three_agree: the key just established is the same at the device, the MT and the Key Center, and it is derive.py's
three_agree() {
	local want who have
	want=$(expected_kcv "$btid" "$naf_id" "$device_id") || return 1
	[ "$kcv" = "$want" ] || { echo "extdevd answered kcv $kcv, derive.py says $want"; return 1; }
	for who in extdevd mtd nafkcd; do
		have=$(kcv_at "$who" "$btid" "$device_id")
		[ "$have" = "$want" ] || { echo "$who has kcv '$have', derive.py says $want"; return 1; }
	done
}
# not COMMAND…: "!" alone fails no test, a function's status does. Nor does the left side of "&&": one condition a line.
not() { ! "$@"; }
# status_is CODE COMMAND…: for exit codes that are the point
status_is() {
	local want=$1 rc=0
	shift
	"$@" || rc=$?
	[ $rc -eq "$want" ] || { echo "exit $rc instead of $want: $*"; return 1; }
}
log_has() { grep -qE -- "$2" "$LAB/$1/log" || { echo "no line of $1's log matches: $2"; tail -n 20 "$LAB/$1/log"; return 1; }; }
pid_of() { cut -d' ' -f1 "$LAB/$1/pid"; }
