#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Installs what build, tests, lint and demo need. Does nothing, and needs no root, where all is there.
set -eu

if command -v apt-get >/dev/null; then
	want='apt-utils autopkgtest bats blhc bpftool build-essential ca-certificates clang clang-tidy cpio cppcheck createrepo-c curl dbus
		debhelper debsums devscripts dnf dpkg-dev fakeroot faketime file gcc gdb gnupg iproute2 libbpf-dev libcap-dev libcap2-bin libcmocka-dev libcurl4-openssl-dev libjson-c-dev libprotobuf-c-dev
		libseccomp-dev libssl-dev libsystemd-dev libyaml-dev lintian llvm make mandoc minisign mmdebstrap netcat-openbsd
		openssh-server ostree piuparts pkg-config procps protobuf-c-compiler python3 rpm rpmlint rsync shellcheck strace systemd
		systemd-container util-linux valgrind xz-utils zlib1g-dev zstd
		nfdump softflowd bind9-dnsutils dnsmasq-base ethtool iputils-ping mosquitto mosquitto-clients nginx-light openssh-client p0f tcpdump tshark udhcpc vsftpd wget libmicrohttpd-dev libnats-dev nats-server rsyslog rsyslog-openssl'
	# The other architecture, the policies, the manuals.
	want="$want kmod qemu-system-x86" # other kernels
	want="$want prometheus" # promtool
	want="$want apparmor man-db qemu-user-static selinux-policy-dev"
	# npm, of whatever package: others than the distribution's bring it too, and do not go with its own.
	command -v npm >/dev/null || want="$want nodejs npm"
	missing=''
	for p in $want; do
		case $(dpkg-query -W -f '${db:Status-Status}' "$p" 2>/dev/null || :) in
		installed) ;;
		*) missing="$missing $p" ;;
		esac
	done
	if [ -z "$missing" ]; then
		exit 0
	fi
	if [ "$(id -u)" -ne 0 ]; then
		echo "missing:$missing: run sudo make deps" >&2
		exit 1
	fi
	export DEBIAN_FRONTEND=noninteractive
	apt-get -q -o DPkg::Lock::Timeout=300 update
	# What is installed for a build must start no server on this host.
	# shellcheck disable=SC2086  # a list of names
	RUNLEVEL=1 apt-get -q -y -o DPkg::Lock::Timeout=300 install --no-install-recommends $missing
elif command -v dnf >/dev/null; then
	dnf -q -y install bats bpftool clang clang-tools-extra cppcheck cpio createrepo_c curl dnf gcc gdb gnupg2 iproute \
		json-c-devel libbpf-devel libcurl-devel libcap-devel libcmocka-devel libseccomp-devel libyaml-devel llvm make mandoc minisign \
		libfaketime nmap-ncat openssl-devel ostree pkgconf-pkg-config protobuf-c-compiler protobuf-c-devel python3 rpm-build rpm-sign rpmlint rsync \
		ShellCheck strace systemd-container systemd-devel valgrind zlib-devel \
		bind-utils dnsmasq ethtool iputils mosquitto nginx openssh-clients openssl p0f tcpdump vsftpd wget wireshark-cli libmicrohttpd-devel rsyslog rsyslog-openssl
	dnf -q -y install cpio kmod qemu-system-x86-core
	dnf -q -y install golang-github-prometheus man-db nodejs-npm selinux-policy-devel
else
	echo 'neither apt-get nor dnf is here: install what mk/config.mk names by hand' >&2
	exit 1
fi
