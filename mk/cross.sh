#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# cross.sh ARCH COMMAND...: runs a command in this folder, inside a root file system that has the compilers of this machine and
# the libraries of ARCH (tests/lib/rootfs makes it, once). Only this folder can be written; there is no network. Needs root.
#   cross.sh ARCH --root    prints the root file system's path
set -euo pipefail

arch=$1
shift
[ "$arch" != "$(dpkg --print-architecture)" ] || { echo "cross.sh: $arch is this machine's own: leave ARCH= out" >&2; exit 1; }
[ "$(id -u)" = 0 ] || { echo "cross.sh: building for $arch needs root, for its root file system: sudo make … ARCH=$arch" >&2; exit 1; }
root=$(tests/lib/rootfs "$arch")
if [ "${1:-}" = --root ]; then
	echo "$root"
	exit 0
fi

# shellcheck disable=SC2016 # expanded by the inner shell
exec unshare --mount --net --propagation private bash -euc '
	root=$1
	shift
	mount --bind "$root" "$root"
	mount -o remount,bind,ro "$root"
	mount -t tmpfs -o mode=1777 tmp "$root/tmp"
	mount -t proc proc "$root/proc"
	mount --rbind /dev "$root/dev"
	mount --bind "$PWD" "$root/mnt"
	exec chroot "$root" env -C /mnt "$@"' cross "$root" \
	env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/tmp LANG=C.UTF-8 ${SOURCE_DATE_EPOCH:+"SOURCE_DATE_EPOCH=$SOURCE_DATE_EPOCH"} "$@"
