#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The split from the single package 1.2, by apt and dnf from a repository (FAMILY): what each kind of upgrade leaves, and back again.
# Each test is a container of its own. "tests/package/legacy/build build/check/legacy" makes the old package.

load common
# shellcheck disable=SC2016 # expanded in the container

setup() {
	NAME=sr-split-${FAMILY:-deb}-$BATS_TEST_NUMBER
	prepare_repo
	LEGACY=$TOP/build/check/legacy
	"$CT" up "$NAME" "$("$TOP/tests/lib/rootfs" "$FAMILY")" --bind-ro="$REPO:/srv/repo" --bind-ro="$LEGACY:/srv/legacy"
	use_repo in_ct
}

teardown() {
	[ -n "${BATS_TEST_COMPLETED:-}" ] || in_ct journalctl --no-pager -q -o short-precise -u 'serviceradar-*' -n 40 || :
	"$CT" kill "$NAME"
}

# legacy [NAME]: the single package, running with netprobe as its child.
legacy() {
	case $FAMILY in
	deb) sh_ct 'dpkg -i /srv/legacy/deb/*.deb' ;;
	rpm) sh_ct "rpm -i /srv/legacy/rpm/${1:-serviceradar-agent}-1.2.0-*.rpm" ;;
	esac
	until_ok 10 in_ct pgrep -f lib/serviceradar/bin/serviceradar-netprobe
	# Someone's own setting, which must come through.
	sh_ct 'sed -i "s/\"lo\"/\"lo\", \"eth9\"/" /etc/serviceradar/sidecars/netprobe.json'
	old=$(sh_ct 'cat /etc/serviceradar/sidecars/netprobe.json')
}

upgrade() {
	case $FAMILY-$* in
	deb-*) in_ct apt-get -q -y install "$@" ;;
	rpm-serviceradar-agent) in_ct dnf -y --releasever=9 upgrade "$@" ;; # "install" of what is installed does nothing
	rpm-*) in_ct dnf -y --releasever=9 install "$@" ;;
	esac
}

nothing_of_the_single_package() {
	run sh_ct 'find /usr/local -name "*serviceradar*"; find /usr -xdev -perm /6000 -name "serviceradar*"; pgrep -fl "^/usr/local/[^ ]*serviceradar"'
	[ "$output" = "" ]
}

# Root's again, so that the updater works there; what is the service's stays its own.
owners_are_right() {
	[ "$(sh_ct 'stat -c "%U %a" /var/lib/serviceradar /var/lib/serviceradar/addons /run/serviceradar /var/lib/serviceradar/agent')" = $'root 755\nroot 755\nroot 755\nserviceradar 700' ]
}

@test "PK-2 NP-1 both packages in one transaction: enabled and running stays so, the configuration becomes the assignment" {
	legacy
	run upgrade serviceradar-agent serviceradar-netprobe
	echo "$output"
	[ "$status" -eq 0 ]
	until_ok 30 sh_ct 'systemctl is-active serviceradar-agent serviceradar-netprobe.service && systemctl is-enabled serviceradar-agent serviceradar-recover serviceradar-netprobe.service'
	nothing_of_the_single_package
	owners_are_right
	sh_ct 'python3 -c "
import json
a = json.load(open(\"/etc/serviceradar/addons.d/netprobe.json\"))
assert a == {\"addon_id\": \"netprobe\", \"enabled\": True, \"delivery\": \"os-package\", \"approved_capabilities\": [\"host-network-visibility\"],
             \"config\": {\"enabled\": True, \"capture_interfaces\": [\"lo\", \"eth9\"], \"flow_attribution_ipc_batch\": True}}, a"'
	[ "$(in_ct stat -c '%U:%G %a' /etc/serviceradar/addons.d/netprobe.json)" = "root:serviceradar 640" ]
	[ "$(in_ct cat /etc/serviceradar/sidecars/netprobe.json.migrated)" = "$old" ]
	# The agent starts with a setting of its own, not with those of before.
	sh_ct '[ ! -e /etc/serviceradar/agent.json ] && [ "$(systemctl show -P NRestarts serviceradar-agent)" = 0 ]'
	[ "$((0x$(proc_field "$(main_pid serviceradar-netprobe)" CapPrm)))" -ne 0 ]
	until_ok 20 sh_ct '[ -e /run/serviceradar/addons/netprobe.json ] && journalctl -u serviceradar-netprobe | grep -q "client connected"'
	case $FAMILY in
	deb) [ "$(in_ct dpkg --verify serviceradar-agent serviceradar-netprobe)" = "" ] ;;
	rpm) [ "$(in_ct rpm -V serviceradar-agent serviceradar-netprobe)" = "" ] ;;
	esac
	# Once: not again when the assignment is gone.
	sh_ct "rm /etc/serviceradar/addons.d/netprobe.json; $UPDATER deactivate netprobe; $UPDATER reconcile netprobe" 2>&1 | grep 'no assignment'
}

@test "PK-2 NP-4 the base alone: netprobe is gone, its configuration kept, the way back told, and it leads back" {
	legacy
	run upgrade serviceradar-agent
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *"install serviceradar-netprobe"*"/etc/serviceradar/sidecars/netprobe.json"* ]]
	until_ok 20 in_ct systemctl is-active serviceradar-agent
	nothing_of_the_single_package
	owners_are_right
	run sh_ct "find / -xdev -name '*netprobe*' -not -path '/proc/*' -not -path '/srv/*' -not -path '/etc/serviceradar/sidecars/*' -not -path '/var/lib/apt/*'; find /run -name '*netprobe*'; getcap -r /usr /var; systemctl list-unit-files | grep netprobe"
	[ "$output" = "" ]
	[ "$(in_ct cat /etc/serviceradar/sidecars/netprobe.json)" = "$old" ]
	run in_ct srctl doctor
	[[ "$output" == *"netprobe, which was a part of serviceradar-agent before, is installed: install serviceradar-netprobe"* ]]
	if [ "$FAMILY" = deb ]; then
		dpkg-deb --fsys-tarfile "$REPO"/serviceradar-agent_*.deb | tar -xO ./usr/share/doc/serviceradar-agent/NEWS.Debian.gz | gunzip | grep 'apt install serviceradar-netprobe'
	fi
	upgrade serviceradar-netprobe
	until_ok 30 in_ct systemctl is-active serviceradar-netprobe.service
	run in_ct srctl doctor
	[[ "$output" != *"which was a part of"* ]]
}

@test "PK-2 an RPM of another name, obsoleted: its last script disables and stops, and yet all is as before" {
	[ "$FAMILY" = rpm ] || skip "Obsoletes are RPM's"
	legacy serviceradar
	in_ct dnf -q -y --releasever=9 upgrade
	until_ok 30 sh_ct 'systemctl is-active serviceradar-agent serviceradar-netprobe.service && systemctl is-enabled serviceradar-agent serviceradar-recover serviceradar-netprobe.service'
	nothing_of_the_single_package
	owners_are_right
	[ "$(sh_ct 'rpm -q serviceradar || :')" = "package serviceradar is not installed" ]
}

@test "PK-2 an RPM of another name, obsoleted while it was disabled and stopped: so it stays" {
	[ "$FAMILY" = rpm ] || skip "Obsoletes are RPM's"
	legacy serviceradar
	in_ct systemctl disable --now serviceradar-agent
	in_ct dnf -q -y --releasever=9 upgrade
	run sh_ct 'systemctl is-enabled serviceradar-agent serviceradar-netprobe.service; systemctl is-active serviceradar-agent serviceradar-netprobe.service'
	[ "$output" = $'disabled\ndisabled\ninactive\ninactive' ]
	in_ct systemctl start serviceradar-agent
	until_ok 30 in_ct systemctl is-active serviceradar-netprobe.service
}

@test "PK-2 NP-2 back to the single package and forth: what its script gave away is not trusted again" {
	pkg install serviceradar-agent serviceradar-netprobe
	start_agent
	in_ct srctl addon enable netprobe
	case $FAMILY in
	deb) sh_ct 'dpkg -r serviceradar-netprobe && dpkg --force-downgrade -i /srv/legacy/deb/*.deb' ;;
	rpm) sh_ct 'rpm -e serviceradar-netprobe && rpm -U --oldpackage /srv/legacy/rpm/serviceradar-agent-1.2.0-*.rpm' ;;
	esac
	[ "$(in_ct stat -c %U /var/lib/serviceradar/addons/netprobe/state.json)" = serviceradar ]
	# As that user could: a version of its own making, and a record that it is the active one.
	sh_ct 'setpriv --reuid serviceradar --regid serviceradar --clear-groups sh -ec "cd /var/lib/serviceradar/addons/netprobe
		mkdir -p versions/9.9.9; cp /bin/true versions/9.9.9/serviceradar-netprobe; echo evil >versions/9.9.9/.origin.json"'
	upgrade serviceradar-agent serviceradar-netprobe
	until_ok 30 in_ct systemctl is-active serviceradar-netprobe.service
	owners_are_right
	sh_ct '[ ! -e /var/lib/serviceradar/addons/netprobe/versions/9.9.9 ] && [ -z "$(find /var/lib/serviceradar/addons ! -user root)" ]'
}

@test "PK-1 purge: users, groups, units, bpffs, cgroups and files as before, but for what SECURITY.md documents" {
	sh_ct 'snapshot() {
			find / -xdev \( -path /proc -o -path /sys -o -path /srv -o -path /var/cache -o -path /var/lib/apt -o -path /var/log/apt -o -path /var/lib/dnf -o -path /var/lib/dpkg -o -path /var/lib/rpm -o -path /root \) -prune -o ! -path "/var/log/*.log" -print
			find /run /sys/fs/bpf ! -path "/run/systemd/*" ! -path "/run/log/*" ! -path "/run/dbus/*"
			find /sys/fs/cgroup -type d
			getent passwd; getent group
			systemctl list-unit-files --no-legend; systemctl list-units --all --no-legend --plain --type=service,socket,timer,slice | cut -d " " -f 1
		}
		declare -f snapshot >/root/snapshot; snapshot | sort -u >/root/before'
	pkg install serviceradar-agent serviceradar-netprobe
	start_agent
	in_ct srctl addon enable netprobe
	until_ok 30 status_is state active
	pkg purge serviceradar-netprobe serviceradar-agent
	sh_ct '. /root/snapshot; snapshot | sort -u >/root/after'
	run sh_ct 'comm -3 /root/before /root/after | tr -d "\t" | grep -vE "^/(tmp|var/tmp)(/|$)|^/var/log/dpkg"'
	echo "$output"
	if [ "$FAMILY" = rpm ]; then
		# No purge there; and the root of the tests lacks directories that a package of an RPM distribution has.
		output=$(grep -vE '^/(etc|var/lib|var/log|run)/serviceradar(/|$)|^/usr/share/(licenses|man/man[0-9])$|^/var/log/(dnf|hawkey)' <<<"$output")
	fi
	[ "$(grep -vE '^serviceradar(-capture)?:x:' <<<"$output" | grep -vE '^/etc/(passwd|group|shadow|gshadow)-$')" = "" ]
	[ "$(grep -c '^serviceradar:x:' <<<"$output")" = 2 ]
	[ "$(grep -c '^serviceradar-capture:x:' <<<"$output")" = 1 ]
}
