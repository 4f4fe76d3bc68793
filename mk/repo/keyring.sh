#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# keyring.sh KEYS OUT URL SUITES: the packages serviceradar-archive-keyring, deb and rpm, of the public keys in KEYS/archive/*.asc
# and KEYS/bundle/*.pub; into OUT, with the keys beside them as clients without the package take them.
set -euo pipefail
cd "$(dirname "$0")/../.."
keys=$1 out=$2 url=${3%/} suites=$4
die() { echo "keyring: $*" >&2; exit 1; }

shopt -s nullglob
archive=("$keys"/archive/*.asc)
[ "${#archive[@]}" -gt 0 ] || die "$keys/archive has no *.asc: put the public key there that signs the repositories (keys/README.md)"
version=$(dpkg-parsechangelog -l keyring/debian/changelog -SVersion 2>/dev/null || sed -n '1s/.*(\(.*\)).*/\1/p' keyring/debian/changelog)
rm -rf "$out"
mkdir -p "$out"
out=$(cd "$out" && pwd)
name=serviceradar-archive-keyring
tree=$out/$name-$version
mkdir -p "$tree/sources" "$tree/repos" "$tree/bundle"
cp -r keyring/debian keyring/*.spec "$tree"

GNUPGHOME=$(mktemp -d)
export GNUPGHOME
trap 'rm -rf "$GNUPGHOME"' EXIT
for f in "${archive[@]}"; do
	! grep -q 'PRIVATE KEY' "$f" || die "$f: a secret key"
	listed=$(gpg --batch --with-colons --show-keys "$f" 2>/dev/null) || die "$f: not an OpenPGP key"
	grep -q '^pub:[^er]' <<<"$listed" || die "$f: no key that is valid: $(grep -m 1 '^pub' <<<"$listed")"
	# rpm takes one key from each armored block.
	gpg --batch --quiet --import "$f"
done
for fpr in $(gpg --batch --with-colons --list-keys | awk -F: '$1 == "pub" { p = 1 } $1 == "fpr" && p { print $10; p = 0 }' | sort); do
	gpg --batch --armor --export-options export-minimal --export "$fpr" >>"$tree/$name.asc"
	gpg --batch --export-options export-minimal --export "$fpr" >>"$tree/$name.gpg"
done
for f in "$keys"/bundle/*.pub; do
	[ "$(sed -n 2p "$f" | base64 -d 2>/dev/null | head -c 2)" = Ed ] || die "$f: no public key of minisign"
	cp "$f" "$tree/bundle/"
done
[ -n "$(ls "$tree/bundle")" ] || sed -i '/^bundle/d' "$tree/debian/$name.install"
for suite in $suites; do sed "s|@URL@|$url|; s|@SUITE@|$suite|" keyring/serviceradar.sources.in >"$tree/sources/$suite.sources"; done
for dist in el fedora; do sed "s|@URL@|$url|; s|@DIST@|$dist|" keyring/serviceradar.repo.in >"$tree/repos/$dist.repo"; done
find "$tree" -type d -exec chmod 0755 {} +
find "$tree" -type f -exec chmod go=r,u=rwX {} +
cp "$tree/$name".{asc,gpg} "$out"

quietly() { "$@" >>"$out/build.log" 2>&1 || { tail -n 40 "$out/build.log" >&2; exit 1; }; }
SOURCE_DATE_EPOCH=$(date -d "$(sed -n 's/^ -- .*>  //p' keyring/debian/changelog | head -n 1)" +%s)
export SOURCE_DATE_EPOCH
unset MAKEFLAGS MFLAGS MAKELEVEL
find "$tree" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
if command -v dpkg-buildpackage >/dev/null; then
	(cd "$tree" && quietly env DEB_BUILD_OPTIONS=nocheck dpkg-buildpackage -us -uc)
	rm -rf "$tree/debian/$name" "$tree/debian/.debhelper"
fi
if command -v rpmbuild >/dev/null; then
	top=$out/top
	mkdir -p "$top/SOURCES"
	tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$out" -cf - "$name-$version" |
		gzip -9n >"$top/SOURCES/$name-$version.tar.gz"
	quietly rpmbuild --define "_topdir $top" --define 'use_source_date_epoch_as_buildtime 1' \
		--define 'clamp_mtime_to_source_date_epoch 1' --define '_buildhost localhost' --define '_sysconfdir /etc' \
		--define '_datadir /usr/share' -ba "$tree/$name.spec"
	mv "$top"/RPMS/*/*.rpm "$top"/SRPMS/*.rpm "$out"
	rm -rf "$top"
fi
rm -rf "$tree"
ls "$out"/*.deb "$out"/*.noarch.rpm 2>/dev/null
