#!/usr/bin/env bats
# make install, man pages, systemd units, README.
load lib
setup_file() {
	export DEST=$BATS_FILE_TMPDIR/dest
	# B follows KSLOCAL_BIN, so that a sanitizer run installs what it tests
	make -s -C "$ROOT" install B="$(dirname "$KSLOCAL_BIN")" DESTDIR="$DEST" PREFIX=/usr SYSCONFDIR=/etc/kslocal \
		>"$BATS_FILE_TMPDIR/install.log" 2>&1 || { cat "$BATS_FILE_TMPDIR/install.log"; return 1; }
}

@test "make install: programs, man pages, samples, units under DESTDIR; nothing else" {
	for f in usr/sbin/{bsfd,nafkcd,mtd,extdevd} usr/bin/{ksctl,kslocal-lab}; do [ -x "$DEST/$f" ]; done
	for d in bsfd nafkcd mtd extdevd; do
		[ -f "$DEST/etc/kslocal/$d.conf.sample" ]
		[ -f "$DEST/usr/share/man/man8/$d.8" ]
		[ -f "$DEST/usr/share/man/man5/$d.conf.5" ]
	done
	[ -f "$DEST/etc/kslocal/card.conf.sample" ]
	[ -f "$DEST/usr/share/man/man1/ksctl.1" ]
	[ -f "$DEST/usr/share/man/man1/kslocal-lab.1" ]
	! grep -rn /usr/local/etc "$DEST/usr/share/man"
	[ "$(ls "$DEST/usr/lib/systemd/system" | sort | tr '\n' ' ')" = "bsfd.service extdevd@.service mtd@.service nafkcd.service " ]
	[ "$(ls "$DEST" | tr '\n' ' ')" = "etc usr " ]
	not grep -rn '@[A-Z]*@' "$DEST/usr/lib/systemd/system"
}

@test "make install again leaves an operator's configuration alone" {
	echo '# mine' >"$DEST/etc/kslocal/bsfd.conf"
	make -s -C "$ROOT" install B="$(dirname "$KSLOCAL_BIN")" DESTDIR="$DEST" PREFIX=/usr SYSCONFDIR=/etc/kslocal
	[ "$(cat "$DEST/etc/kslocal/bsfd.conf")" = '# mine' ]
}

@test "the installed lab and programs run" {
	unset KSLOCAL_BIN
	LAB=$BATS_TEST_TMPDIR/lab
	"$DEST/usr/bin/kslocal-lab" --dir "$LAB" up
	[ "$(readlink "/proc/$(pid_of bsfd)/exe")" = "$DEST/usr/sbin/bsfd" ]
	"$DEST/usr/bin/ksctl" --lab "$LAB" extdevd establish
	"$DEST/usr/bin/kslocal-lab" --dir "$LAB" down
}

# units as they are on a system that has the programs at their place
units() {
	mkdir -p "$BATS_TEST_TMPDIR/u"
	for u in "$DEST"/usr/lib/systemd/system/*.service; do
		sed "s|ExecStart=/usr/sbin|ExecStart=$DEST/usr/sbin|" "$u" >"$BATS_TEST_TMPDIR/u/$(basename "$u")"
	done
	cd "$BATS_TEST_TMPDIR/u"
}

@test "systemd-analyze verify is clean" {
	units
	run systemd-analyze verify --man=no ./bsfd.service ./nafkcd.service ./mtd@.service ./extdevd@.service
	[ "$status" -eq 0 ]
	[ -z "$output" ] || { echo "$output"; return 1; }
}

@test "systemd-analyze security: exposure at most 2.0" {
	units
	for u in bsfd.service nafkcd.service mtd@.service extdevd@.service; do
		run systemd-analyze security --offline=true --threshold=20 --no-pager "./$u"
		[ "$status" -eq 0 ] || { echo "$u: ${lines[-1]}"; return 1; }
	done
}

@test "units: notify, watchdog, own user, state directory, store key as a credential" {
	for u in "$DEST"/usr/lib/systemd/system/*.service; do
		for line in Type=notify WatchdogSec= DynamicUser=yes StateDirectory= RuntimeDirectory= LoadCredential=store_key: ProtectSystem=strict \
			NoNewPrivileges=yes PrivateTmp=yes RestrictAddressFamilies= SystemCallFilter= MemoryDenyWriteExecute=yes; do
			grep -q "^$line" "$u" || { echo "$u: no $line"; return 1; }
		done
	done
}

# notify_socket DAEMON: runs it as systemd would, prints what it says to $NOTIFY_SOCKET until it has said READY=1 and WATCHDOG=1
@test "Type=notify: READY=1 when every listener stands, WATCHDOG=1 in time, STOPPING=1 at the end" {
	LAB=$BATS_TEST_TMPDIR/lab
	lab up >/dev/null
	for d in bsfd nafkcd mtd extdevd; do
		lab stop $d
		python3 - "$KSLOCAL_BIN/$d" "$LAB/$d.conf" "$BATS_TEST_TMPDIR/n" <<-'END' || { echo "$d"; return 1; }
			import os, signal, socket, subprocess, sys
			path = sys.argv[3]
			if os.path.exists(path):
			    os.unlink(path)
			s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
			s.bind(path)
			s.settimeout(10)
			env = dict(os.environ, NOTIFY_SOCKET=path, WATCHDOG_USEC="400000")
			p = subprocess.Popen([sys.argv[1], "-c", sys.argv[2]], env=env, stdout=subprocess.PIPE)
			said = ""
			try:
			    while "READY=1" not in said or "WATCHDOG=1" not in said:
			        said += s.recv(4096).decode() + "\n"
			    p.send_signal(signal.SIGTERM)
			    while "STOPPING=1" not in said:
			        said += s.recv(4096).decode() + "\n"
			except socket.timeout:
			    print("said only:", said)
			    p.kill()
			    sys.exit(1)
			assert p.wait(15) == 0, p.returncode
			assert said.index("READY=1") < said.index("STOPPING=1")
		END
	done
	lab down
}

@test "units: without privileges, and with no system call beyond the unit's filter, a lab establishes" {
	[ "$(id -u)" = 0 ] || skip "needs root, to become somebody else"
	chmod o+x "$BATS_RUN_TMPDIR" "$(dirname "$BATS_TEST_TMPDIR")" "$BATS_TEST_TMPDIR" "$BATS_FILE_TMPDIR" "$(dirname "$BATS_FILE_TMPDIR")"
	home=$BATS_TEST_TMPDIR/home
	mkdir -p "$home/bin"
	# each daemon under strace, which keeps its process id (-D)
	for d in bsfd nafkcd mtd extdevd; do
		printf '#!/bin/sh\nexec strace -D -f -qq -o %s/trace.%s %s/usr/sbin/%s "$@"\n' "$home" $d "$DEST" $d >"$home/bin/$d"
	done
	cp "$DEST/usr/bin/ksctl" "$home/bin"
	chmod -R 755 "$home"
	chmod -R o+rX "$DEST"
	chown -R 65534:65534 "$home"
	LAB=$home/lab
	as() { setpriv --reuid 65534 --regid 65534 --clear-groups --no-new-privs --inh-caps=-all env XDG_RUNTIME_DIR="$home" KSLOCAL_BIN="$home/bin" "$@"; }
	as "$DEST/usr/bin/kslocal-lab" --dir "$LAB" up
	as "$home/bin/ksctl" --lab "$LAB" extdevd establish
	as "$DEST/usr/bin/kslocal-lab" --dir "$LAB" down
	python3 - "$DEST/usr/lib/systemd/system" "$home" <<-'END'
		import re, subprocess, sys
		def calls(name):
		    if not name.startswith("@"):
		        return {name}
		    out = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True).stdout
		    words = [l.strip() for l in out.splitlines()[1:]]
		    return set().union(*(calls(w) for w in words if w and not w.startswith("#")))
		bad = False
		for unit, d in (("bsfd", "bsfd"), ("nafkcd", "nafkcd"), ("mtd@", "mtd"), ("extdevd@", "extdevd")):
		    allowed = calls("@default")
		    for line in re.findall(r"^SystemCallFilter=(.*)$", open("%s/%s.service" % (sys.argv[1], unit)).read(), re.M):
		        for w in line.lstrip("~").split():
		            allowed = allowed - calls(w) if line.startswith("~") else allowed | calls(w)
		    used = set(re.findall(r"^\d+ +([a-z_0-9]+)\(", open("%s/trace.%s" % (sys.argv[2], d)).read(), re.M))
		    if len(used) < 30 or used - allowed:
		        print(d, "used", len(used), "system calls; not allowed:", sorted(used - allowed))
		        bad = True
		sys.exit(bad)
	END
}

@test "man pages: mandoc finds nothing; every option of --help is in the page, and no other" {
	run mandoc -Tlint -Wwarning "$ROOT"/doc/man/*.[158]
	[ -z "$output" ] || { echo "$output"; return 1; }
	options() { grep -oE -- '(^|[[:space:],|[(])--?[a-zA-Z][a-z-]*' | grep -oE -- '--?[a-zA-Z][a-z-]*' | sort -u; }
	for p in bsfd.8 nafkcd.8 mtd.8 extdevd.8 ksctl.1 kslocal-lab.1; do
		n=${p%.*}
		bin=$KSLOCAL_BIN/$n
		[ "$n" != kslocal-lab ] || bin=$ROOT/scripts/lab
		diff <("$bin" --help 2>&1 | options) <(mandoc -Tascii "$ROOT/doc/man/$p" | col -b | sed '/^[[:space:]]*openssl /d; s/-$//' | options) >"$BATS_TEST_TMPDIR/diff" ||
			{ echo "$n --help (<) and $p (>) differ:"; cat "$BATS_TEST_TMPDIR/diff"; return 1; }
	done
}

@test "man pages: every key of a configuration's table is in conf(5) and in the sample" {
	for d in bsfd nafkcd mtd extdevd; do
		tables=("$ROOT/$d"/conf*.c "$ROOT/common/daemon.h" "$ROOT/common/daemon_conf.c")
		! grep -q CONF_SERIAL_OPTIONS "${tables[@]}" || tables+=("$ROOT/common/conf_serial.h")
		keys=$(grep -ohE 'CFG_(STR|INT|BOOL|STR_LIST|SEC)\("[a-z_]+"' "${tables[@]}" | sed 's/.*"\(.*\)"/\1/' | sort -u)
		[ "$(wc -w <<<"$keys")" -gt 12 ]
		for k in $keys; do
			grep -qE "^\.(It Ic|Ss The sections?) $k( |\$)" "$ROOT/doc/man/$d.conf.5" || { echo "$d.conf.5 does not have: $k"; return 1; }
			grep -qE "(^|[#[:space:]{])$k([[:space:]]|\$)" "$ROOT/conf/$d.conf" || { echo "conf/$d.conf does not have: $k"; return 1; }
		done
		# and nothing that is not there
		for k in $(sed -nE 's/^\.It Ic ([a-z_]+).*/\1/p' "$ROOT/doc/man/$d.conf.5"); do
			grep -qx "$k" <<<"$keys" || { echo "$d.conf.5 has a key that the daemon does not: $k"; return 1; }
		done
	done
}

@test "S5: README's first screen: what is simulated, project form, a lab's keys, one daemon against a foreign peer, two commands" {
	screen=$(head -n 34 "$ROOT/README")
	for w in SIMULATED 'PROJECT FORM' "LAB'S KEYS PROTECT NOTHING" 'AGAINST A FOREIGN PEER' ./scripts/demo ./scripts/check; do
		[[ $screen == *"$w"* ]] || { echo "first screen lacks: $w"; return 1; }
	done
	[ "$(awk 'length > 132' "$ROOT/README" | wc -l)" = 0 ]
}

@test "README: each reason it explains and each file it names is there; .ci/run runs its test command" {
	sed -n '/^4 When/,$p' "$ROOT/README" | sed -nE 's/^    ([a-z]+(-[a-z]+)+) .*/\1/p' >"$BATS_TEST_TMPDIR/codes"
	[ "$(wc -l <"$BATS_TEST_TMPDIR/codes")" -ge 10 ]
	while read -r c; do
		grep -q "\"$c\"" "$ROOT/common/reason.def" || { echo "README explains a reason that is not in the table: $c"; return 1; }
	done <"$BATS_TEST_TMPDIR/codes"
	for f in scripts/demo scripts/check scripts/lab scripts/deps doc/TOUR doc/man conf common/reason.def common/profile.c test/scenario/expect.py test/RULES; do
		[ -e "$ROOT/$f" ] || { echo "README names $f"; return 1; }
	done
	grep -q './scripts/check' "$ROOT/.ci/run"
}
