# SPDX-License-Identifier: Apache-2.0
# For the long proofs: a minimal Debian that can fetch from where this machine's apt does. Its containers have a network of their
# own with nothing in it, so what is needed is fetched by chroot first.
# shellcheck shell=bash

# shellcheck source=tests/package/common.bash
source "$BATS_TEST_DIRNAME/../package/common.bash"

# mount_minimal: an overlay on it as $ROOT, which knows the repository $REPO of the packages under test too.
mount_minimal() {
	"$CT" mount "$NAME" "$("$TOP/tests/lib/rootfs" minimal)"
	ROOT=$("$CT" root "$NAME")
	export ROOT
	mkdir -p "$ROOT/srv/repo"
	cp "$REPO"/* "$ROOT/srv/repo/"
	cp /etc/resolv.conf "$ROOT/etc/resolv.conf"
	echo 'deb [trusted=yes] file:/srv/repo ./' >"$ROOT/etc/apt/sources.list.d/serviceradar.list"
	"$CT" chroot "$NAME" apt-get -q update
}
chroot_ct() { "$CT" chroot "$NAME" "$@"; }
