#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Images that are put together where nothing of them runs, and booted elsewhere (FAMILY): dnf --installroot, and what ostree
# deploys: /usr read-only, /etc as the image had it, /var empty at the first boot.

load common
NAME=sr-image-$FAMILY

setup_file() {
	WORK=$(mktemp -d)
	export WORK
	prepare_repo
	export REPO
	"$CT" mount "$NAME" "$("$TOP/tests/lib/rootfs" "$FAMILY")"
}

teardown_file() {
	"$CT" down "$NAME"
	"$CT" down "$NAME-ostree"
	rm -rf "$WORK"
}

# assign ROOT: what a builder of images puts there.
assign() {
	install -d -m 0750 "$1/etc/serviceradar/addons.d"
	install -m 0644 "$TOP/tests/package/assignment.json" "$1/etc/serviceradar/addons.d/netprobe.json"
}

@test "PK-3 installed from outside: apt in a chroot, dnf --installroot; no service manager, no bus, for dnf no /proc" {
	local root
	root=$("$CT" root "$NAME")
	assign "$root" # before the packages: the add-on is wanted from its first moment
	if [ "$FAMILY" = deb ]; then
		mkdir -p "$root/srv/repo" && cp "${REPO:?}"/* "$root/srv/repo/"
		use_repo "$CT" chroot "$NAME"
		pkg_in "$CT" chroot "$NAME" -- install serviceradar-agent serviceradar-netprobe
	else
		# rpm of a host has another idea of where the database is.
		mkdir -p "$WORK/home" "$WORK/repos"
		echo '%_dbpath /var/lib/rpm' >"$WORK/home/.rpmmacros"
		sed "s|^baseurl=.*|baseurl=file://${REPO:?}|" "$root/etc/yum.repos.d/serviceradar.repo" >"$WORK/repos/x.repo"
		HOME=$WORK/home dnf -q -y --installroot="$root" --releasever=9 --setopt=reposdir="$WORK/repos" install serviceradar-agent serviceradar-netprobe
		"$CT" chroot "$NAME" rpm -q serviceradar-agent serviceradar-netprobe
	fi
	[ -n "$(getcap "$root$PAYLOAD/serviceradar-netprobe")" ]
	[ "$("$CT" chroot "$NAME" stat -c '%U:%G %a' "$PAYLOAD/serviceradar-netprobe")" = "root:serviceradar 750" ]
	[ -L "$root/etc/systemd/system/multi-user.target.wants/serviceradar-netprobe.service" ]
	[ -L "$root/etc/systemd/system/multi-user.target.wants/serviceradar-agent.service" ]
	[ "$(find "$root/etc/serviceradar/addons.d" -name netprobe.json | wc -l)" = 1 ]
}

@test "PK-3 what ostree deploys of it: first boot with an empty /var, up by itself, everything made by tmpfiles" {
	local root image
	root=$("$CT" root "$NAME")
	image=$WORK/image
	mkdir "$image"
	# As such images are: /etc is the default for what is deployed, state is no part of the image.
	cp -a --reflink=auto "$root/usr" "$root/bin" "$root/sbin" "$root"/lib* "$image/"
	cp -a "$root/etc" "$image/usr/etc"
	rm -f "$image/usr/etc/machine-id" && : >"$image/usr/etc/machine-id"
	ostree init --repo="$WORK/ostree" --mode=bare
	ostree commit --repo="$WORK/ostree" --branch=image --tree=dir="$image" --subject=image >/dev/null
	rm -rf "$image"
	ostree checkout --repo="$WORK/ostree" --require-hardlinks image "$WORK/deploy"
	[ -n "$(getcap "$WORK/deploy$PAYLOAD/serviceradar-netprobe")" ] # they are in the commit
	mkdir -p "$WORK"/deploy/{var,proc,sys,dev,run,tmp,root,srv,boot,mnt}
	cp -a "$WORK/deploy/usr/etc" "$WORK/deploy/etc"
	"$CT" down "$NAME"
	"$CT" up "$NAME-ostree" "$WORK/deploy" --bind-ro="$WORK/deploy/usr:/usr"
	NAME=$NAME-ostree
	run in_ct touch /usr/x "$PAYLOAD/x"
	[ "$(grep -c 'Read-only file system' <<<"$output")" -eq 2 ]
	until_ok 20 status_is state active
	drift_none
	status_is grant_mode file+ambient
	[ "$(in_ct stat -c '%U:%G %a' /var/lib/serviceradar /var/lib/serviceradar/addons /var/lib/serviceradar/agent /var/log/serviceradar)" = \
		$'root:root 755\nroot:root 755\nserviceradar:serviceradar 700\nserviceradar:serviceradar 750' ]
	sh_ct 'systemd-run -q --unit=web python3 -m http.server 8080 --bind 127.0.0.1'
	until_ok 10 sh_ct 'curl -s -o /dev/null http://127.0.0.1:8080/ && srctl flows --json | grep -q "\"comm\":\"curl\""'
	"$CT" reboot "$NAME"
	until_ok 20 status_is state active
	[ "$(in_ct systemctl is-system-running)" = running ]
}

@test "PK-3 a deployment of ostree on an old /var: the state that was there is taken up" {
	NAME=$NAME-ostree
	in_ct srctl addon disable netprobe
	"$CT" reboot "$NAME"
	until_ok 20 status_is state disabled
	in_ct srctl addon enable netprobe
	"$CT" reboot "$NAME"
	until_ok 20 status_is state active
}
