#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# sign.sh KEY BUNDLE...: signs bundles with minisign; the trusted comment says what the file name says, and the digest.
set -eu
key=$1
shift
command -v minisign >/dev/null || {
	echo 'minisign is missing: apt install minisign, or dnf install minisign' >&2
	exit 1
}
for bundle in "$@"; do
	name=$(basename "$bundle" .tar.gz)
	arch=${name##*_linux_}
	rest=${name%_linux_*}
	sum=$(sha256sum <"$bundle")
	minisign -S -H -s "$key" -m "$bundle" -x "$bundle.minisig" \
		-t "addon=${rest%_*} version=${rest##*_} os=linux arch=$arch sha256=${sum%% *}" >/dev/null
	echo "  SIGN     $bundle"
done
