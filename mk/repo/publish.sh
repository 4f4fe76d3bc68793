#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# publish.sh: adds packages to the signed repositories below a folder, as a new generation that one rename makes current.
#   --repo DIR        where the repositories are: made when it is not there
#   --key KEY         the key that signs, as gpg names it: a fingerprint, best
#   --suite NAME      the apt suite of what --debs names after it
#   --debs DIR        .deb, .dsc with its files, .spdx.json
#   --tree NAME       the rpm tree of what --rpms names after it: el/9
#   --rpms DIR        .rpm, .src.rpm, .spdx.json
#   --keyring DIR     what mk/repo/keyring.sh made: the public keys, and the packages that carry them
#   --url URL         where clients find DIR; into the .sources files
#   --keep N          generations that stay whole (3): a client or mirror that is in the middle of one finds all of it
#   --valid-days N    apt refuses an index that is older; nothing by default, as the repository must be signed again in time then
#
# docs/repository.md has the layout. Nothing that is published is changed afterwards: a generation begins as hard links to the
# one before, and every file of it that differs is a new file.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
umask 022

repo='' key='' suite='' tree='' keyring='' url=https://packages.serviceradar.cloud keep=3 valid=''
debs=() rpms=() # "SUITE DIR", "TREE DIR"
die() { echo "publish: $*" >&2; exit 1; }
while [ $# -gt 0 ]; do
	[ $# -ge 2 ] || die "$1 needs a value"
	case $1 in
	--repo) repo=$2 ;;
	--key) key=$2 ;;
	--suite) suite=$2 ;;
	--debs) [ -n "$suite" ] || die "--debs $2: name its --suite first"; debs+=("$suite $2") ;;
	--tree) tree=$2 ;;
	--rpms) [ -n "$tree" ] || die "--rpms $2: name its --tree first"; rpms+=("$tree $2") ;;
	--keyring) keyring=$2 ;;
	--url) url=${2%/} ;;
	--keep) keep=$2 ;;
	--valid-days) valid=$2 ;;
	*) die "$1: no such option" ;;
	esac
	shift 2
done
if [ -z "$repo" ] || [ -z "$key" ]; then die 'needs --repo DIR and --key KEY'; fi
[[ $keep =~ ^[1-9][0-9]*$ ]] || die "--keep $keep: not a number of generations"
[[ $valid =~ ^[0-9]*$ ]] || die "--valid-days $valid: not a number of days"
[[ $suite =~ ^[a-z0-9.-]*$ ]] || die "--suite $suite: a-z, 0-9, . and -"
[[ $tree =~ ^([a-z0-9.-]+/[a-z0-9.]+)?$ ]] || die "--tree $tree: a distribution and its release, such as el/9"
fingerprint=$(gpg --batch --with-colons --list-secret-keys "$key" 2>/dev/null | awk -F: '$1 == "fpr" { print $10; exit }')
[ -n "$fingerprint" ] || die "$key: gpg has no such secret key"
if [ -n "$keyring" ]; then
	gpg --batch --with-colons --show-keys "$keyring/serviceradar-archive-keyring.gpg" | grep -q "^fpr:.*:$fingerprint:" ||
		die "$fingerprint is not in $keyring: clients would not know it. Add its public key to keys/archive first"
fi

mkdir -p "$repo/snapshots"
repo=$(cd "$repo" && pwd)
exec 9>"$repo/.lock"
flock -n 9 || die "$repo: another one publishes there"
rm -rf "$repo"/snapshots/.new "$repo/current.new" # of one that was killed
last=$(readlink "$repo/current" 2>/dev/null || :)
last=${last##*/}
next=$(printf '%06d' $((10#${last:-0} + 1)))
[ ! -e "$repo/snapshots/$next" ] || rm -rf "$repo/snapshots/$next" # renamed, and never made current
new=$repo/snapshots/.new
if [ -n "$last" ]; then cp -al "$repo/snapshots/$last" "$new"; else mkdir "$new"; fi
# The generations that stay, the newest first.
kept=()
for ((i = 10#$next - 1; i > 10#$next - keep && i > 0; i--)); do
	g=$repo/snapshots/$(printf '%06d' "$i")
	[ ! -d "$g" ] || kept+=("$g")
done

export FINGERPRINT=$fingerprint VALID_DAYS=$valid
for d in ${debs[@]+"${debs[@]}"}; do "$here/pool-deb.sh" "$new/apt" "${d%% *}" "${d#* }"; done
[ -z "$keyring" ] || for dist in "$new"/apt/pool/*/; do
	[ ! -d "$dist" ] || "$here/pool-deb.sh" "$new/apt" "$(basename "$dist")" "$keyring"
done
for d in ${rpms[@]+"${rpms[@]}"}; do "$here/pool-rpm.sh" "$new/rpm" "${d%% *}" "${d#* }"; done
[ -z "$keyring" ] || for dist in "$new"/rpm/*/*/; do
	[ ! -d "$dist" ] || "$here/pool-rpm.sh" "$new/rpm" "$(basename "$(dirname "$dist")")/$(basename "$dist")" "$keyring"
done
# All of them are signed again, also those to which nothing was added: a key that expires or an index with an end needs it.
for dist in "$new"/apt/pool/*/; do
	[ ! -d "$dist" ] || "$here/index-deb.sh" "$new/apt" "$(basename "$dist")" ${kept[@]+"${kept[@]/%//apt}"}
done
for dist in "$new"/rpm/*/*/*/; do
	[ ! -d "$dist" ] || "$here/index-rpm.sh" "$new/rpm" "${dist#"$new"/rpm/}" ${kept[@]+"${kept[@]/%//rpm}"}
done
[ -n "$(find "$new" -name InRelease -o -name repomd.xml)" ] || die 'no package to publish'

# What a client begins with.
if [ -n "$keyring" ]; then
	rm -rf "$new/keys" && mkdir "$new/keys"
	cp "$keyring"/serviceradar-archive-keyring.{asc,gpg} "$new/keys/"
	for f in "$keyring"/serviceradar-archive-keyring_*.deb; do
		[ ! -e "$f" ] || { rm -f "$new/apt/serviceradar-archive-keyring.deb" && cp "$f" "$new/apt/serviceradar-archive-keyring.deb"; }
	done
	for f in "$keyring"/serviceradar-archive-keyring-*.noarch.rpm; do
		[ ! -e "$f" ] || for dist in "$new"/rpm/*/*/; do
			[ ! -d "$dist" ] || cp --remove-destination "$(find "$dist" -name "$(basename "$f")" -print -quit)" "$dist/serviceradar-archive-keyring.rpm"
		done
	done
fi
for dist in "$new"/apt/dists/*/; do
	[ -d "$dist" ] || continue
	name=$(basename "$dist")
	sed "s|@URL@|$url|; s|@SUITE@|$name|" "$here/../../keyring/serviceradar.sources.in" >"$new/apt/.sources"
	mv "$new/apt/.sources" "$new/apt/$name.sources"
done
for dist in "$new"/rpm/*/; do
	[ -d "$dist" ] || continue
	name=$(basename "$dist")
	sed "s|@URL@|$url|; s|@DIST@|$name|" "$here/../../keyring/serviceradar.repo.in" >"$new/rpm/.repo"
	mv "$new/rpm/.repo" "$new/rpm/$name.repo"
done

# On the disk before anybody sees it; then one rename.
sync -f "$new"
mv -T "$new" "$repo/snapshots/$next"
ln -s "snapshots/$next" "$repo/current.new"
mv -T "$repo/current.new" "$repo/current"
for entry in apt rpm keys; do
	[ -L "$repo/$entry" ] || [ ! -e "$repo/current/$entry" ] || ln -s "current/$entry" "$repo/$entry"
done
sync -f "$repo"
for g in "$repo"/snapshots/[0-9]*; do
	[ "$((10#${g##*/}))" -gt $((10#$next - keep)) ] || rm -rf "$g"
done
echo "  REPO     $repo, generation $next"
