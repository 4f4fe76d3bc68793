#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# index-deb.sh APT SUITE [OLDER APT...]: the indexes of a suite, signed with $FINGERPRINT. Those of the older generations stay
# under their digests, so that a client which read InRelease before the switch still gets what it names.
set -euo pipefail
apt=$1 suite=$2
shift 2
dist=dists/$suite
cd "$apt"
rm -rf "$dist"
options=()
for index in Packages Sources Release; do
	for sum in MD5 SHA1 SHA512; do options+=(-o "APT::FTPArchive::$index::$sum=false"); done
done

components=()
for component in main debug; do
	[ -d "pool/$suite/$component" ] || continue
	components+=("$component")
	for arch in amd64 arm64; do
		mkdir -p "$dist/$component/binary-$arch"
		apt-ftparchive "${options[@]}" --arch "$arch" packages "pool/$suite/$component" >"$dist/$component/binary-$arch/Packages"
	done
done
if [ -n "$(find "pool/$suite/main" -name '*.dsc' -print -quit)" ]; then
	mkdir -p "$dist/main/source"
	apt-ftparchive "${options[@]}" sources "pool/$suite/main" >"$dist/main/source/Sources" 2>/dev/null
fi
find "$dist" -type f -exec gzip -9nk {} + -exec xz -k {} +

# Made elsewhere: what lies in the folder is listed.
release=$(mktemp)
trap 'rm -f "$release"' EXIT
apt-ftparchive "${options[@]}" -o APT::FTPArchive::DoByHash=true -o APT::FTPArchive::Release::Origin=ServiceRadar \
	-o APT::FTPArchive::Release::Label=ServiceRadar -o "APT::FTPArchive::Release::Suite=$suite" \
	-o "APT::FTPArchive::Release::Codename=$suite" -o 'APT::FTPArchive::Release::Architectures=amd64 arm64' \
	-o "APT::FTPArchive::Release::Components=${components[*]}" -o "APT::FTPArchive::Release::ValidTime=$((${VALID_DAYS:-0} * 86400))" \
	-o "APT::FTPArchive::Release::Description=ServiceRadar for $suite" release "$dist" >"$release"
cp "$release" "$dist/Release"
sign() { gpg --batch --yes --quiet --local-user "$FINGERPRINT" --digest-algo SHA512 "$@"; }
sign --output "$dist/InRelease" --clear-sign "$dist/Release"
sign --output "$dist/Release.gpg" --armor --detach-sign "$dist/Release"

# By digest: these, and those of the generations that stay.
for older in "$apt" "$@"; do
	(cd "$older" && find "$dist" -type f -path "$dist/*/*/*" ! -path '*/by-hash/*' -exec sha256sum {} + 2>/dev/null) |
		while read -r sum file; do
			to=$(dirname "$file")/by-hash/SHA256
			mkdir -p "$to"
			[ -e "$to/$sum" ] || ln "$older/$file" "$to/$sum"
		done
done
