#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# An add-on on a timer with a spool (addons/sample-timer), delivered as a package and as a signed bundle; and the ways to be supervised that
# have no unit. On a booted system that has the base package only; the tests go on from each other.

load common
NAME=sr-timer-$FAMILY
ID=sample-timer
UNIT=serviceradar-sample-timer
SPOOL=/var/lib/serviceradar/spool/sample-timer
EVENTS=/var/log/serviceradar/events.ndjson

setup_file() {
	WORK=$(mktemp -d)
	export WORK
	prepare_repo
	EXTRA=$(dirname "$("$TOP/tests/package/sample-package" "$FAMILY" "$TOP/build" "$WORK/extra")")
	minisign -G -W -f -p "$WORK/key.pub" -s "$WORK/key.key" >/dev/null
	"$CT" up "$NAME" "$("$TOP/tests/lib/rootfs" "$FAMILY")" --bind-ro="$REPO:/srv/repo" --bind-ro="$EXTRA:/srv/extra"
	ROOT=$("$CT" root "$NAME")
	export ROOT
	use_repo in_ct
	pkg install serviceradar-agent
	start_agent
	mkdir -p "$ROOT/srv/bundles"
	install -m 0644 "$WORK/key.pub" "$ROOT/etc/serviceradar/keys.d/key.pub"
}

teardown_file() {
	"$CT" down "$NAME"
	rm -rf "$WORK"
}

# of KEY...: a value of the status file, by the path of keys.
of() {
	in_ct python3 -c 'import functools,json,sys
print(functools.reduce(lambda o, k: o[k], sys.argv[2:], json.load(open("/run/serviceradar/addons/%s.json" % sys.argv[1]))))' "$ID" "$@"
}
is() { [ "$(of "${@:1:$#-1}")" = "${!#}" ]; } # is KEY... VALUE
at_least() { [ "$(of "${@:1:$#-1}")" -ge "${!#}" ]; }
drift() { of drift | grep -q "'$1'"; }
no_drift() { is drift '[]'; }
# spooled NAME [OWNER]: standard input as a file of the spool, under its name by one rename.
spooled() {
	cat >"$ROOT$SPOOL/.$1"
	[ -z "${2:-}" ] || chown "$2" "$ROOT$SPOOL/.$1"
	mv "$ROOT$SPOOL/.$1" "$ROOT$SPOOL/$1"
}
records_of() { grep -c "\"spoolFile\":\"$1\"" "$ROOT$EVENTS"; }
has_records() { [ "$(records_of "$1")" -ge "$2" ]; }
in_folder() { [ -n "$(ls "$ROOT$SPOOL/$1")" ]; }

# bundle VERSION SED-SCRIPT: of the sample, its manifest edited.
bundle() {
	local file=$ID"_$1_linux_amd64.tar.gz"
	rm -rf "$WORK/payload"
	mkdir "$WORK/payload"
	install -m 0755 "$TOP/build/addons/sample-timer/serviceradar-sample-timer" "$WORK/payload/"
	install -m 0644 "$TOP/addons/sample-timer/config.schema.json" "$WORK/payload/"
	sed -e "s/^version: .*/version: \"$1\"/; s/^delivery: .*/delivery: pushed-artifact/" -e "${2:-}" "$TOP/build/addons/sample-timer/addon.yaml" \
		>"$WORK/payload/addon.yaml"
	(cd "$TOP" && mk/pack.sh "$WORK/payload" "$WORK/$file" && mk/sign.sh "$WORK/key.key" "$WORK/$file" >/dev/null)
	cp "$WORK/$file" "$WORK/$file.minisig" "$ROOT/srv/bundles/"
}
# assign VERSION: that bundle.
assign() {
	local file=/srv/bundles/${ID}_$1_linux_amd64.tar.gz
	cat >"$ROOT/etc/serviceradar/addons.d/.new" <<-J
		{"addon_id": "$ID", "enabled": true, "delivery": "pushed-artifact", "version": "$1",
		 "artifact": {"url": "file://$file", "sha256": "$(sha256sum <"$ROOT$file" | cut -d' ' -f1)"}, "approved_capabilities": ["account-audit"]}
	J
	mv "$ROOT/etc/serviceradar/addons.d/.new" "$ROOT/etc/serviceradar/addons.d/$ID.json"
}

@test "DL-4 as a package: dormant until it is assigned; then timer and service are rendered, hardened, enabled" {
	case $FAMILY in
	deb) in_ct sh -c 'apt-get -q -y install /srv/extra/*.deb' ;;
	rpm) in_ct sh -c 'dnf -q -y --releasever=9 install /srv/extra/*.rpm' ;;
	esac
	until_ok 10 is state installed
	run in_ct systemctl is-active "$UNIT.timer" "$UNIT.service"
	[ "$output" = $'inactive\ninactive' ]
	run in_ct srctl addon enable "$ID"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$output" = "$ID is active." ]
	[ "$(in_ct systemctl is-enabled "$UNIT.timer")" = enabled ]
	[ "$(in_ct systemctl is-active "$UNIT.timer")" = active ]
	[ "$(in_ct systemctl is-active "$UNIT.service" || :)" = inactive ] # until it is time
	[ "$(in_ct systemctl show -P User "$UNIT.service")" = root ]
	[ "$(in_ct systemctl show -P CapabilityBoundingSet "$UNIT.service")" = cap_dac_read_search ]
	[ "$(in_ct systemctl show -P NoNewPrivileges "$UNIT.service")" = yes ]
	[ "$(in_ct stat -c '%U:%G %a' "$SPOOL")" = "root:serviceradar 770" ]
	is unit name "$UNIT.timer"
	is run name "$UNIT.service"
	no_drift
	in_ct systemd-analyze verify --man=no "/etc/systemd/system/$UNIT.timer"
	local exposure
	exposure=$(in_ct systemd-analyze security --no-pager "$UNIT.service" | sed -n 's/.*exposure level.*: \([0-9.]*\) .*/\1/p')
	echo "# $UNIT: exposure $exposure" >&3
	[ "$(awk -v v="$exposure" 'BEGIN { print v != "" && v <= 2.5 }')" = 1 ]
}

@test "DL-4 a run: what root alone may read comes to the events without its secrets, and the agent cannot read it" {
	sh_ct 'useradd -m tester && echo tester:correct-horse-battery | chpasswd'
	local secret
	secret=$(sh_ct "sed -n 's/^tester:\([^:]*\):.*/\1/p' /etc/shadow")
	[ -n "$secret" ]
	in_ct systemctl start "$UNIT.service"
	until_ok 10 sh_ct "grep -q '\"addonId\":\"$ID\".*\"name\":\"tester\".*\"password\":\"set\"' $EVENTS"
	until_ok 10 at_least spool files 1
	is spool waiting 0
	in_folder ingested
	# Neither hash nor salt in what was written, and no way for the agent to what the add-on read.
	run grep -rF -e "$secret" -e "$(cut -d'$' -f4 <<<"$secret")" "$ROOT$EVENTS" "$ROOT$SPOOL"
	[ "$status" -eq 1 ]
	run in_ct runuser -u serviceradar -- cat /etc/shadow
	[ "$status" -ne 0 ]
	[ $((0x$(proc_field "$(main_pid serviceradar-agent)" CapPrm))) -eq 0 ]
	run in_ct runuser -u serviceradar -- "/var/lib/serviceradar/addons/$ID/current/$UNIT" --spool "$SPOOL"
	[ "$status" -ne 0 ] # a program with a capability of its own is not for the agent's group either
}

@test "DL-4 the timer starts it by itself" {
	local before
	before=$(of spool files)
	sh_ct "mkdir -p /run/systemd/system/$UNIT.timer.d && printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:*\nRandomizedDelaySec=0\nAccuracySec=100ms\n' \
		>/run/systemd/system/$UNIT.timer.d/often.conf && systemctl daemon-reload && systemctl restart $UNIT.timer"
	until_ok 20 at_least spool files $((before + 2))
	sh_ct "rm -r /run/systemd/system/$UNIT.timer.d && systemctl daemon-reload && systemctl restart $UNIT.timer"
	until_ok 10 no_drift
}

@test "DL-4 what does not belong into a spool is set aside unread: links, pipes, devices, others' files, too much, half a line, no JSON" {
	local agent before
	agent=$(main_pid serviceradar-agent)
	before=$(of spool quarantined)
	ln -s /etc/shadow "$ROOT$SPOOL/01-link.jsonl"
	mkfifo "$ROOT$SPOOL/02-pipe.jsonl"
	mknod "$ROOT$SPOOL/03-device.jsonl" c 1 3
	spooled 04-other.jsonl 65534 <<<'{"bad": 4}'
	echo '{"bad": 5}' >"$ROOT/var/lib/serviceradar/spool/.two"
	ln "$ROOT/var/lib/serviceradar/spool/.two" "$ROOT$SPOOL/05-names.jsonl"
	head -c 1100000 /dev/zero | tr '\0' ' ' | spooled 06-big.jsonl
	seq 10001 | sed 's/.*/{"bad": &}/' | spooled 07-lines.jsonl
	printf '{"bad": 8}\n{"bad": ' | spooled 08-half.jsonl
	printf '{"bad": 9}\n[9]\n' | spooled 09-list.jsonl
	printf '{"bad": "%s"}\n' "$(head -c 17000 /dev/zero | tr '\0' x)" | spooled 10-long.jsonl
	printf '{"bad": 11, "bad": 11}\n' | spooled 11-twice.jsonl
	: | spooled 12-empty.jsonl
	spooled 'no-suffix' <<<'{"bad": 13}'
	mkdir "$ROOT$SPOOL/14-folder.jsonl"
	spooled 99-good.jsonl <<<'{"good": 99}'
	until_ok 20 has_records 99-good.jsonl 1
	until_ok 10 is spool quarantined $((before + 13))
	run grep -c '"bad"' "$ROOT$EVENTS"
	[ "$output" = 0 ]
	run sh_ct "grep -c 'root:' $EVENTS"
	[ "$output" = 0 ]
	[ "$(ls "$ROOT$SPOOL/quarantine" | wc -l)" -eq 13 ]
	[ "$(main_pid serviceradar-agent)" = "$agent" ]
	in_ct journalctl --no-pager -u serviceradar-agent | grep -q '08-half.jsonl: set aside: line 2: cut off'
	rm -rf "$ROOT$SPOOL/14-folder.jsonl" "$ROOT/var/lib/serviceradar/spool/.two"
	is state active
}

@test "DL-4 no sink takes events, and the agent is killed: the records wait and come, each of them" {
	local i queues=/var/lib/serviceradar/agent/sinks
	# Neither the file nor its queue.
	sh_ct "systemctl stop serviceradar-agent && mv $EVENTS $EVENTS.kept && mkdir $EVENTS && rm -rf $queues && touch $queues && systemctl start serviceradar-agent"
	for i in 1 2 3; do seq 1000 | sed "s/.*/{\"part\": $i, \"n\": &}/" | spooled "outage-$i.jsonl"; done
	until_ok 10 in_folder taken
	in_ct systemctl kill -s KILL serviceradar-agent
	until_ok 10 in_ct systemctl is-active serviceradar-agent
	rmdir "$ROOT$EVENTS"
	rm "$ROOT$queues"
	cat >"$ROOT/root/all.py" <<-'P'
		import json
		seen = {}
		for line in open("/var/log/serviceradar/events.ndjson"):
		    e = json.loads(line)
		    if e["type"] == "addon_record" and e["spoolFile"].startswith("outage"):
		        seen.setdefault(e["record"]["part"], []).append(e["record"]["n"])
		assert [sorted(set(seen[p])) for p in (1, 2, 3)] == [list(range(1, 1001))] * 3
	P
	until_ok 30 in_ct python3 /root/all.py
	until_ok 10 is spool waiting 0
	sh_ct "cat $EVENTS >>$EVENTS.kept && cat $EVENTS.kept >$EVENTS && rm $EVENTS.kept"
}

# heard: a record that is spooled now is told to who listens.
# shellcheck disable=SC2329 # called by until_ok
heard() { spooled heard.jsonl <<<'{"heard": 1}' && sleep 0.5 && in_ct grep -q '"heard":1.*"type":"addon_record"' /root/heard; }

@test "DL-4 a record is told to who listens with srctl events, without any sink, too" {
	echo '{"sinks": {"file": false}}' >"$ROOT/etc/serviceradar/agent.json"
	in_ct systemctl reload serviceradar-agent
	[ "$(in_ct srctl sinks --json)" = "" ]
	in_ct systemd-run -q --unit=t-events sh -c 'srctl events --type addon_record --json >/root/heard'
	until_ok 10 heard
	in_ct systemctl stop t-events
	rm "$ROOT/etc/serviceradar/agent.json"
	in_ct systemctl reload serviceradar-agent
}

@test "NP-6 DL-4 a run that fails is unit_failed until the next one is well; the timer goes on" {
	sh_ct "mkdir -p /run/systemd/system/$UNIT.service.d && printf '[Service]\nExecStart=\nExecStart=/bin/false\n' >/run/systemd/system/$UNIT.service.d/broken.conf
		systemctl daemon-reload; ! systemctl start $UNIT.service"
	until_ok 10 drift unit_failed
	is state degraded
	[ "$(in_ct systemctl is-active "$UNIT.timer")" = active ]
	run in_ct srctl addon status "$ID"
	[[ $output == *"unit_failed"*"journalctl -u $UNIT says why"* ]]
	sh_ct "rm -r /run/systemd/system/$UNIT.service.d && systemctl daemon-reload && systemctl start $UNIT.service"
	until_ok 10 no_drift
	is state active
}

@test "NP-3 DL-4 disabled: timer stopped and disabled, nothing is ingested any more; enabled: what waits is" {
	in_ct srctl addon disable "$ID"
	run in_ct systemctl is-active "$UNIT.timer" "$UNIT.service"
	[ "$output" = $'inactive\ninactive' ]
	[ "$(in_ct systemctl is-enabled "$UNIT.timer" 2>/dev/null || :)" != enabled ]
	is state disabled
	spooled waits.jsonl <<<'{"good": 1}'
	spooled waits-too.jsonl <<<'{"good": 2}'
	in_ct systemctl reload-or-restart serviceradar-agent
	until_ok 10 in_ct systemctl is-active serviceradar-agent
	until_ok 10 is state disabled
	in_ct test -e "$SPOOL/waits.jsonl"
	in_ct srctl addon enable "$ID"
	until_ok 10 has_records waits.jsonl 1
	until_ok 10 has_records waits-too.jsonl 1
	in_ct srctl addon disable "$ID"
}

@test "DL-4 as a signed bundle through the updater: fetched, staged, its timer enabled, its spool ingested" {
	bundle 9.0.0
	assign 9.0.0
	until_ok 20 is active_version 9.0.0
	until_ok 20 is state active
	[ "$(in_ct readlink "/var/lib/serviceradar/addons/$ID/current")" = versions/9.0.0 ]
	[ "$(in_ct systemctl is-active "$UNIT.timer")" = active ]
	local before
	before=$(of spool records)
	in_ct systemctl start "$UNIT.service"
	until_ok 10 at_least spool records $((before + 3))
	no_drift
}

@test "a manifest cannot open another directory to the agent" {
	bundle 9.0.1 's,^spool_dir: .*,spool_dir: /etc,'
	run in_ct "$UPDATER" verify "/srv/bundles/${ID}_9.0.1_linux_amd64.tar.gz"
	echo "$output"
	[ "$status" -eq 2 ]
	[[ $output == *"spool_dir: \"/etc\" is not /var/lib/serviceradar/spool/ and the id"* ]]
}

@test "DL-6 a helper without a unit is registered for its consumer; a sidecar is unsupported, and says so" {
	local no_timer='/^schedule:/,/randomized/d; /^spool_dir:/d'
	bundle 9.1.0 "s/^supervision: .*/supervision: agent-sidecar/; $no_timer"
	assign 9.1.0
	until_ok 20 is state unsupported
	of last_error | grep -q 'agent-sidecar is not supported'
	is active_version 9.0.0
	bundle 9.2.0 "s/^supervision: .*/supervision: ephemeral-helper/; $no_timer"
	assign 9.2.0
	until_ok 20 is active_version 9.2.0
	until_ok 10 is state active
	no_drift
	run in_ct systemctl list-unit-files --no-legend "$UNIT.*"
	[ "$output" = "" ]
	in_ct mkdir -p /root/out
	in_ct "/var/lib/serviceradar/addons/$ID/current/$UNIT" --spool /root/out
	run in_ct sh -c 'ls /root/out/*.jsonl'
	[ "$status" -eq 0 ]
	in_ct rm "/etc/serviceradar/addons.d/$ID.json"
	until_ok 20 in_ct sh -c "! test -e /var/lib/serviceradar/addons/$ID/current"
}

@test "PK-1 the package is removed: no timer, and a purge leaves no spool" {
	pkg purge "$UNIT"
	in_ct sh -c "! test -e $SPOOL && ! test -e /var/lib/serviceradar/addons/$ID && ! ls /etc/systemd/system/$UNIT.*"
	run in_ct systemctl is-active "$UNIT.timer"
	[ "$output" = inactive ]
}
