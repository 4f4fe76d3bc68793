# SPDX-License-Identifier: Apache-2.0
# For the tests of the signed repositories: keys that are made for the test and never leave its folder, small packages to
# publish, a web server. WORK is the file's own folder.
# shellcheck shell=bash

# signing_key NAME [GPG OPTION...]: makes a key in a keyring of its own, and leaves its fingerprint in NAME.fpr.
signing_key() {
	local name=$1
	shift
	install -d -m 700 "$WORK/gpg-$name"
	with_key "$name" gpg --batch --quiet "$@" --pinentry-mode loopback --passphrase '' --quick-generate-key \
		"ServiceRadar test $name" rsa2048 sign "${EXPIRE:-1y}" 2>/dev/null
	with_key "$name" gpg --batch --with-colons --list-secret-keys 2>/dev/null | awk -F: '$1 == "fpr" { print $10; exit }' >"$WORK/$name.fpr"
}
with_key() { GNUPGHOME=$WORK/gpg-$1 "${@:2}"; }
# The agents of gpg that the keys started go with their folders.
stop_agents() {
	local home
	for home in "$WORK"/gpg-*; do GNUPGHOME=$home gpgconf --kill gpg-agent || :; done
}

# keyring NAME OUT: the keyring package of that key.
keyring() {
	rm -rf "$WORK/keys"
	mkdir -p "$WORK/keys/archive"
	with_key "$1" gpg --batch --armor --export >"$WORK/keys/archive/$1.asc"
	"$TOP/mk/repo/keyring.sh" "$WORK/keys" "$2" http://127.0.0.1:8080 bookworm >/dev/null
}

# publish NAME DIR [OPTION...]: into the repositories below DIR, signed by that key.
publish() {
	local name=$1 dir=$2
	shift 2
	with_key "$name" "$TOP/mk/repo/publish.sh" --repo "$dir" --key "$(cat "$WORK/$name.fpr")" --url http://127.0.0.1:8080 "$@"
}

# probe_deb VERSION DIR, probe_rpm VERSION DIR: a package with a file that says its version, and one that takes its time to copy.
probe_deb() {
	local tree=$WORK/probe
	rm -rf "$tree"
	mkdir -p "$tree/DEBIAN" "$tree/usr/share/serviceradar-probe" "$2"
	echo "$1" >"$tree/usr/share/serviceradar-probe/version"
	head -c 100000 /dev/urandom >"$tree/usr/share/serviceradar-probe/data"
	cat >"$tree/DEBIAN/control" <<-C
		Package: serviceradar-probe
		Version: $1
		Architecture: all
		Maintainer: ServiceRadar Packagers <packagers@serviceradar.cloud>
		Description: a package of the tests
	C
	dpkg-deb --root-owner-group -b "$tree" "$2/serviceradar-probe_$1_all.deb" >/dev/null
}
probe_rpm() {
	mkdir -p "$2"
	cat >"$WORK/probe.spec" <<-S
		Name: serviceradar-probe
		Version: $1
		Release: 1
		Summary: A package of the tests
		License: Apache-2.0
		BuildArch: noarch
		%description
		One file.
		%install
		mkdir -p %{buildroot}/usr/share/serviceradar-probe
		echo $1 >%{buildroot}/usr/share/serviceradar-probe/version
		head -c 100000 /dev/urandom >%{buildroot}/usr/share/serviceradar-probe/data
		%files
		/usr/share/serviceradar-probe
	S
	rpmbuild --quiet --define "_topdir $WORK/probe-rpm" -bb "$WORK/probe.spec" >/dev/null 2>&1
	mv "$WORK/probe-rpm/RPMS/noarch/"*.rpm "$2"
}
# probe VERSION: of FAMILY, as the options that publish it.
probe() {
	if [ "$FAMILY" = deb ]; then
		probe_deb "$1" "$WORK/probe-$1" && echo "--suite bookworm --debs $WORK/probe-$1"
	else
		probe_rpm "$1" "$WORK/probe-$1" && echo "--tree el/9 --rpms $WORK/probe-$1"
	fi
}

# serve PORT DIR [REGEX COMMAND]: a web server in the container's network; its requests are in web-PORT.log.
serve() {
	stop_serving "$1"
	# shellcheck disable=SC2153 # NAME is the container's
	nsenter -t "$("$CT" pid "$NAME")" -n /usr/bin/python3 "$TOP/tests/lib/httpd.py" "$@" >"$WORK/web-$1.log" 2>"$WORK/web-$1.err" 3>&- &
	echo $! >"$WORK/web-$1.pid"
	until_ok 10 in_ct nc -z 127.0.0.1 "$1"
}
stop_serving() {
	[ -e "$WORK/web-$1.pid" ] || return 0
	kill "$(cat "$WORK/web-$1.pid")" 2>/dev/null || :
	rm -f "$WORK/web-$1.pid"
}
