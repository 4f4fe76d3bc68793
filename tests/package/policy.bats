#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The policies of SELinux and AppArmor. No kernel here enforces either: the module is compiled, put into a whole policy, and that
# policy is asked what it allows; the profiles are compiled, and held against what the packages install.

load common
NAME=sr-policy
KERN=/var/lib/selinux/default/active/policy.kern

setup_file() {
	"$CT" mount "$NAME" "$("$TOP/tests/lib/rootfs" selinux)"
	cp -r "$TOP/selinux" "$("$CT" root "$NAME")/root/module"
	in_root sh -c 'cd /root/module && make -f /usr/share/selinux/devel/Makefile serviceradar.pp' >"$BATS_FILE_TMPDIR/compile" 2>&1
	in_root semodule -n -s default -i /root/module/serviceradar.pp
}

teardown_file() { "$CT" down "$NAME"; }
teardown() { :; }

in_root() { "$CT" chroot "$NAME" "$@"; }
# allowed ARGUMENT...: the rules that sesearch finds, those of the domain's own type, without what a boolean switches on
allowed() { in_root sesearch -A "$@" "$KERN" | grep -v ' \[ ' || :; }
# permissions SOURCE CLASS: those that it has on itself
permissions() { allowed -s "$1" -t "$1" -c "$2" | sed -n "s/^allow $1 $1:$2 //p" | tr -d '{};' | xargs -n1 | sort | xargs; }

@test "the SELinux module compiles without a warning and is one with the rest of the policy" {
	cat "$BATS_FILE_TMPDIR/compile"
	run grep -i -e warning -e error "$BATS_FILE_TMPDIR/compile"
	[ "$output" = "" ]
	in_root semodule -s default -l | grep -x serviceradar
}

@test "SELinux: systemd starts each part in a domain of its own, with no_new_privs and from a nosuid mount too" {
	local pair
	for pair in agent_exec_t:agent_t updater_exec_t:updater_t netprobe_exec_t:netprobe_t payload_t:addon_t; do
		in_root sesearch -T -s init_t -t "serviceradar_${pair%:*}" -c process "$KERN" | grep "serviceradar_${pair#*:};"
		allowed -s init_t -t "serviceradar_${pair#*:}" -c process2 | grep 'nnp_transition.*nosuid_transition'
		allowed -s init_t -t "serviceradar_${pair#*:}" -c process -p transition | grep .
	done
	# What is permissive is what nothing is known of, and only that.
	[ "$(in_root seinfo --permissive -x "$KERN" | grep -o 'serviceradar_[a-z_]*_t' | xargs)" = serviceradar_addon_t ]
}

@test "HV-1 SELinux: three capabilities for netprobe, two for the updater, none for the agent" {
	[ "$(permissions serviceradar_netprobe_t capability)" = net_raw ]
	[ "$(permissions serviceradar_netprobe_t capability2)" = "bpf perfmon" ]
	[ "$(permissions serviceradar_updater_t capability)" = "chown setfcap" ]
	[ "$(permissions serviceradar_updater_t capability2)" = "" ]
	[ "$(permissions serviceradar_agent_t capability)$(permissions serviceradar_agent_t capability2)" = "" ]
	[ "$(permissions serviceradar_agent_t bpf)$(permissions serviceradar_agent_t packet_socket)" = "" ]
}

@test "SELinux: netprobe makes no Internet socket, runs no other program, and writes no file but its own" {
	local class
	for class in tcp_socket udp_socket rawip_socket; do
		run allowed -s serviceradar_netprobe_t -t serviceradar_netprobe_t -c $class -p create
		[ "$output" = "" ]
	done
	run allowed -s serviceradar_netprobe_t -c file -p execute_no_trans
	[ "$output" = "" ]
	run sh -c "$CT chroot $NAME sesearch -A -s serviceradar_netprobe_t -c file -p create $KERN | sed 's/^allow [a-z_]* \([a-z_]*\):.*/\1/' | sort -u | xargs"
	[ "$output" = bpf_t ]
}

@test "SELinux: the agent writes neither payloads, nor settings, nor units; the updater alone does" {
	local type
	for type in serviceradar_payload_t serviceradar_netprobe_exec_t serviceradar_conf_t systemd_unit_t etc_t; do
		run allowed -s serviceradar_agent_t -t $type -c file -p write
		[ "$output" = "" ]
	done
	allowed -s serviceradar_updater_t -t serviceradar_payload_t -c file -p create | grep .
	allowed -s serviceradar_updater_t -t systemd_unit_t -c file -p create | grep .
	allowed -s serviceradar_updater_t -t systemd_unit_t -c service -p start | grep .
	in_root sesearch -T -s serviceradar_updater_t -t serviceradar_payload_t -c file "$KERN" | grep 'serviceradar_netprobe_exec_t.*serviceradar-netprobe'
}

@test "SELinux: the agent speaks to every add-on, and asks the updater over the bus" {
	allowed -s serviceradar_agent_t -t serviceradar_netprobe_t -c unix_stream_socket -p connectto | grep .
	allowed -s serviceradar_agent_t -t serviceradar_addon_t -c unix_stream_socket -p connectto | grep .
	allowed -s serviceradar_agent_t -t serviceradar_updater_t -c dbus -p send_msg | grep .
	run allowed -s serviceradar_netprobe_t -t serviceradar_updater_t -c dbus -p send_msg
	[ "$output" = "" ]
}

@test "SELinux: every path has its type, a version's link and binary too" {
	local path type
	while read -r path type; do
		run in_root selabel_lookup -b file -f /var/lib/selinux/default/active/file_contexts -t 8 -k "$path"
		echo "$path: $output"
		[[ "$output" == *":serviceradar_${type}_t:s0"* ]]
	done <<-'T'
		/usr/bin/serviceradar-agent agent_exec
		/usr/libexec/serviceradar/agent-updater updater_exec
		/usr/lib/serviceradar/addons/netprobe/serviceradar-netprobe netprobe_exec
		/usr/lib/serviceradar/addons/netprobe/addon.yaml payload
		/usr/lib/serviceradar/addons/other/other payload
		/var/lib/serviceradar/addons/netprobe/versions/1.4.2-rc.1/serviceradar-netprobe netprobe_exec
		/var/lib/serviceradar/addons/netprobe/versions/1.4.2/addon.yaml payload
		/var/lib/serviceradar/addons/netprobe/current payload
		/var/lib/serviceradar/agent/assignments.json var_lib
		/etc/serviceradar/addons.d/netprobe.json conf
		/run/serviceradar/netprobe/ipc.sock runtime
		/var/log/serviceradar/events.ndjson log
	T
}

@test "SELinux: the module is in an RPM package of its own, wanted where the targeted policy is, and in no deb" {
	rpm -qpl "$TOP"/build/rpm/serviceradar-selinux-*.noarch.rpm | grep -x /usr/share/selinux/packages/targeted/serviceradar.pp.bz2
	rpm -qp --requires "$TOP"/build/rpm/serviceradar-agent-[0-9]*.rpm | grep '^(serviceradar-selinux = .* if selinux-policy-targeted)$'
	run sh -c "for f in $TOP/build/deb/*.deb; do dpkg-deb -c \$f; done | grep -i selinux"
	[ "$output" = "" ]
}

@test "AppArmor: each profile compiles, is in complain mode, and in a package where nothing loads it" {
	local file package
	for file in "$TOP"/apparmor/*; do
		run apparmor_parser --skip-kernel-load --skip-cache "$file"
		echo "$output"
		[ "$status" -eq 0 ]
		[ "$(grep -v '^Cache read/write disabled' <<<"$output")" = "" ] # it says so where the kernel has no AppArmor
		[ "$(grep -c '^ *profile ' "$file")" -eq "$(grep -c '^ *profile .*complain' "$file")" ]
		package=agent
		[[ $file != *netprobe ]] || package=netprobe
		dpkg-deb -c "$TOP"/build/deb/serviceradar-${package}_*.deb | grep -F " ./usr/share/serviceradar/apparmor/$(basename "$file")"
	done
	run sh -c "for f in $TOP/build/deb/*.deb; do dpkg-deb -c \$f; done | grep etc/apparmor"
	[ "$output" = "" ]
}

@test "HV-1 AppArmor: netprobe's three capabilities and those to become its user, none for the agent, root's files for the updater" {
	capabilities() {
		apparmor_parser --skip-kernel-load --skip-cache --features-file /etc/apparmor.d/abi/3.0 --debug "$TOP/apparmor/serviceradar-$1" 2>/dev/null |
			sed -n "${2:-1,/^Local To/}s/^${3:-Capabilities}: *//p" | xargs
	}
	[ "$(capabilities netprobe)" = "bpf net_raw perfmon setgid setpcap setuid" ]
	[ "$(capabilities agent)" = "" ]
	# What name services may have, fetch may not.
	[ "$(capabilities agent '/^Local To/,$')" = "$(capabilities agent '/^Local To/,$' 'Deny Caps')" ]
	[ "$(capabilities updater)" = "chown dac_override dac_read_search fowner setfcap" ]
}

@test "AppArmor: what a profile names is in the packages, and what they run has a profile" {
	local deb program
	for deb in "$TOP"/build/deb/serviceradar-{agent,netprobe}_*.deb; do
		dpkg-deb -c "$deb" | sed -n 's/^-rwxr-xr-x .* \.\(\/.*\)/\1/p'
	done | grep -v /srctl >"$BATS_FILE_TMPDIR/programs"
	[ "$(wc -l <"$BATS_FILE_TMPDIR/programs")" -eq 6 ]
	while read -r program; do
		cat "$TOP"/apparmor/* | sed 's,@{netprobe},/usr/lib/serviceradar/addons/netprobe,' | grep -E "^ *(profile .* $program |$program mr,)"
	done <"$BATS_FILE_TMPDIR/programs"
}
