#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# pool-rpm.sh RPM TREE DIR: signs the packages of DIR with $FINGERPRINT, and puts them into a tree: a folder for each
# architecture and one for the sources; what fits every architecture is in all of them. A package that is there already is left
# alone; the same name with another content is refused.
set -euo pipefail
rpm=$1 tree=$2 dir=$3
arches='x86_64 aarch64'

# Header and payload, without the signature.
content() { rpm -qp --nosignature --qf '%{SHA256HEADER}' "$1" 2>/dev/null; }

# put FILE NAME FOLDER
put() {
	if [ -e "$3/$2" ]; then
		[ "$(content "$1")" = "$(content "$3/$2")" ] ||
			{ echo "publish: $1: another package of that name is published: raise the release" >&2; exit 1; }
		return
	fi
	mkdir -p "$3"
	if [ ! -e "$work/$2" ]; then
		cp "$1" "$work/$2"
		# rpm's own idea of gpg is gpg2, which is not everywhere.
		rpmsign --define "_gpg_name $FINGERPRINT" --define "__gpg $(command -v gpg)" --define '_gpg_digest_algo sha256' \
			--addsign "$work/$2" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
	fi
	cp "$work/$2" "$3/$2"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for f in "$dir"/*.rpm; do
	[ -e "$f" ] || continue
	name=$(basename "$f")
	case $name in
	*.src.rpm) put "$f" "$name" "$rpm/$tree/source/Packages" ;;
	*.noarch.rpm) for a in $arches; do put "$f" "$name" "$rpm/$tree/$a/Packages"; done ;;
	*) a=${name%.rpm} && put "$f" "$name" "$rpm/$tree/${a##*.}/Packages" ;;
	esac
	if [ -e "${f%.rpm}.spdx.json" ]; then
		cp --remove-destination "${f%.rpm}.spdx.json" "$rpm/$tree/$(rpm -qp --nosignature --qf '%{ARCH}' "$f" | sed 's/noarch/x86_64/')/Packages/"
	fi
done
