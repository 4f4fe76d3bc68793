#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# index-rpm.sh RPM TREE/ARCH/ [OLDER RPM...]: the metadata of a folder of packages, signed with $FINGERPRINT. The files that
# older generations' repomd.xml names stay: they carry their digest in their name.
set -euo pipefail
rpm=$1 folder=${2%/}
shift 2
cd "$rpm/$folder"
rm -rf repodata .repodata
createrepo_c --quiet --no-database --unique-md-filenames --general-compress-type gz --excludes '*.spdx.json' .
gpg --batch --yes --quiet --local-user "$FINGERPRINT" --digest-algo SHA512 --armor --detach-sign repodata/repomd.xml
gpg --batch --armor --export "$FINGERPRINT" >repodata/repomd.xml.key
for older in "$@"; do
	for f in "$older/$folder"/repodata/*; do
		case $f in
		*/repomd.xml* | */\*) continue ;;
		esac
		[ -e "repodata/$(basename "$f")" ] || ln "$f" repodata/
	done
done
