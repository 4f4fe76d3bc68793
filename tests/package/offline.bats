#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images: the packages (FAMILY) installed where no systemd runs, and what the first boot makes of them.

load common
NAME=sr-offline-${FAMILY:-deb}

in_image() { "$CT" chroot "$NAME" "$@"; }

setup_file() {
	prepare_repo
	"$CT" mount "$NAME" "$("$TOP/tests/lib/rootfs" "$FAMILY")"
	mkdir -p "$("$CT" root "$NAME")/srv/repo"
	cp "$REPO"/* "$("$CT" root "$NAME")/srv/repo/" 2>/dev/null || cp -r "$REPO"/. "$("$CT" root "$NAME")/srv/repo/"
	use_repo in_image
}

teardown_file() {
	"$CT" down "$NAME"
}

@test "PK-3 chroot without systemd: both packages install and reinstall with exit 0, the file part is done" {
	pkg_in in_image -- install serviceradar-agent serviceradar-netprobe
	run in_image "$UPDATER" reconcile netprobe
	[ "$status" -eq 0 ]
	[[ "$output" == *"no assignment"* ]]
	in_image sh -c 'cat >/etc/serviceradar/addons.d/netprobe.json' <<<'{"addon_id": "netprobe", "enabled": true, "delivery": "os-package"}'
	run in_image "$UPDATER" reconcile netprobe
	[ "$status" -eq 2 ] # nobody approved what it offers
	[[ "$output" == *approved_capabilities*host-network-visibility* ]]
	in_image sh -c 'cat >/etc/serviceradar/addons.d/netprobe.json; chmod 640 /etc/serviceradar/addons.d/netprobe.json
		chgrp serviceradar /etc/serviceradar/addons.d/netprobe.json' <"$TOP/tests/package/assignment.json"
	run in_image "$UPDATER" reconcile netprobe
	[ "$status" -eq 0 ]
	[[ "$output" == *"next boot"* ]]
	pkg_in in_image -- reinstall serviceradar-netprobe
	run in_image getcap "$PAYLOAD/serviceradar-netprobe"
	[[ "$output" == *cap_bpf* ]]
	[ "$(in_image stat -c '%U:%G %a' "$PAYLOAD/serviceradar-netprobe")" = "root:serviceradar 750" ]
	in_image sh -c '[ -L /var/lib/serviceradar/addons/netprobe/current ] && [ -L /etc/systemd/system/multi-user.target.wants/serviceradar-netprobe.service ]'
}

@test "PK-3 the image boots: everything is up by itself" {
	"$CT" boot "$NAME"
	until_ok 20 status_is state active
	drift_none
	[ "$(in_ct systemctl is-active serviceradar-netprobe)" = active ]
	[ "$(in_ct systemctl is-system-running)" = running ]
}

@test "PK-3 read-only root with an empty /var: up by itself, boot after boot" {
	"$CT" halt "$NAME"
	"$CT" boot "$NAME" --volatile=state
	run in_ct touch /etc/x /usr/x
	[[ "$output" == *"Read-only file system"*"Read-only file system"* ]]
	until_ok 20 status_is state active
	drift_none
	"$CT" reboot "$NAME"
	until_ok 20 status_is state active
	[ $((0x$(proc_field "$(main_pid serviceradar-netprobe)" CapPrm))) -ne 0 ]
}

@test "PK-3 masked: left alone with exit 0 by every verb that a package calls; up when unmasked" {
	"$CT" halt "$NAME"
	in_image ln -s /dev/null /etc/systemd/system/serviceradar-netprobe.socket
	in_image ln -s /dev/null /etc/systemd/system/serviceradar-netprobe.service
	"$CT" boot "$NAME"
	pkg reinstall serviceradar-netprobe
	run in_ct "$UPDATER" reconcile netprobe
	[ "$status" -eq 0 ]
	[[ "$output" == *masked* ]]
	run in_ct systemctl is-active serviceradar-netprobe
	[ "$output" = inactive ]
	until_ok 10 drift_has assigned_not_active
	in_ct systemctl unmask serviceradar-netprobe.service serviceradar-netprobe.socket
	in_ct "$UPDATER" reconcile netprobe
	until_ok 65 status_is state active
}
