#!/usr/bin/env bats
# tshark judges a capture of Zn: command 310 of application 3GPP Zn, its AVPs by name, nothing malformed (Shows 6)
load zn
setup_file() {
	lab_up
	capture
}
teardown_file() { lab_down; }

# A BIR and BIA of nafkcd, of foreign NAFs, a 5403 and a 5402, DPR and CER of a restart, in zn.pcap; or why there is none, in no-capture.
capture() {
	local port pid line
	port=$(port_of .bsfd.zn)
	export PCAP=$BATS_FILE_TMPDIR/zn.pcap NO_CAPTURE=$BATS_FILE_TMPDIR/no-capture PORT=$port
	if [ "$(id -u)" -ne 0 ]; then
		echo "capturing on the loopback interface needs root" >"$NO_CAPTURE"
		return
	fi
	mkfifo "$BATS_FILE_TMPDIR/tshark"
	tshark -q -i lo -f "tcp port $port" -w "$PCAP" 2>"$BATS_FILE_TMPDIR/tshark" 3>&- &
	pid=$!
	exec 8<"$BATS_FILE_TMPDIR/tshark"
	while read -r -t 20 -u 8 line; do
		[[ $line != *'Capture started'* ]] || break
		echo "$line" >>"$BATS_FILE_TMPDIR/tshark.log"
	done
	if ! kill -0 "$pid" 2>/dev/null; then
		echo "tshark cannot capture here: $(tail -n 1 "$BATS_FILE_TMPDIR/tshark.log")" >"$NO_CAPTURE"
		return
	fi
	exchange
	settled
	kill -INT "$pid"
	timeout 20 tail --pid="$pid" -f /dev/null
	exec 8<&-
}
exchange() {
	establish --new
	btid_new
	fd_naf tcp "$btid" gsid=7
	fd_naf tcp "AAAA@$(lab_get .bsfd.fqdn)"
	erl_naf tcp "$btid" bank.example.org
	lab restart nafkcd
}
# The capture has caught up: tshark writes in its own time.
settled() {
	local n=0
	until { [ "$(answers_to 310)" -ge 4 ] && [ "$(answers_to 282)" -ge 1 ]; } || [ $((n += 1)) -gt 50 ]; do sleep 0.1; done
}
decode() { tshark -r "$PCAP" -d "tcp.port==$PORT,diameter" "$@" 2>/dev/null; }
answers_to() { decode -Y "diameter.cmd.code == $1 && diameter.flags.request == 0" | wc -l; }
setup() { [ ! -e "$NO_CAPTURE" ] || skip "$(cat "$NO_CAPTURE")"; }

@test "Shows 6: tshark decodes BIR and BIA as command 310 of application 3GPP Zn" {
	[ "$(answers_to 310)" -ge 4 ]
	decode -Y 'diameter.cmd.code == 310' -V >"$BATS_TEST_TMPDIR/text"
	grep -q 'Command Code: .*-Info (310)' "$BATS_TEST_TMPDIR/text"
	grep -q 'ApplicationId: 3GPP Zn (16777220)' "$BATS_TEST_TMPDIR/text"
	# every request has its answer
	[ "$(decode -Y 'diameter.cmd.code == 310 && diameter.flags.request == 1' | wc -l)" -ge 4 ]
}

@test "Shows 6: AVPs 401, 402, 405 and their fellows by name" {
	decode -Y 'diameter.cmd.code == 310' -V >"$BATS_TEST_TMPDIR/text"
	for avp in 'Transaction-Identifier(401)' 'NAF-Hostname(402)' 'GAA-Service-Identifier(403)' 'Key-ExpiryTime(404)' 'ME-Key-Material(405)' \
		'BootstrapInfoCreationTime(408)' 'GBA-Type(410)' 'Experimental-Result(297)'; do
		grep -qF "AVP: $avp" "$BATS_TEST_TMPDIR/text" || { echo "no $avp"; return 1; }
	done
	grep -q 'AVP: ME-Key-Material(405) l=44 f=VM-' "$BATS_TEST_TMPDIR/text"
}

@test "Shows 6: nothing in the capture is malformed, unknown or worse than a note" {
	[ "$(decode -Y diameter | wc -l)" -gt 0 ]
	[ "$(decode -Y '_ws.malformed || _ws.expert.severity >= "Warning" && diameter' | wc -l)" -eq 0 ]
	not grep -qi 'unknown avp' <(decode -Y diameter -V)
}

@test "capabilities and good-bye are in it, too" {
	for command in 257 282; do
		[ "$(answers_to $command)" -gt 0 ]
	done
}
