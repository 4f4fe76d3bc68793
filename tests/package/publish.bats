#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What publishes the repositories: killed in the middle, two at once, mistakes, and mirrors that are copied meanwhile. No
# container is needed.

load common
load repo
FAMILY=any

setup_file() {
	WORK=$(mktemp -d)
	export WORK
	signing_key vendor
	signing_key stranger
	keyring vendor "$WORK/keyring"
	publish_version 1
}

teardown_file() {
	stop_agents
	rm -rf "$WORK"
}

teardown() { :; }

# publish_version N [OPTION...]
publish_version() {
	[ -d "$WORK/probe-$1" ] || { probe_deb "$1" "$WORK/probe-$1"; probe_rpm "$1" "$WORK/probe-$1"; }
	publish vendor "$WORK/repo" --keyring "$WORK/keyring" --suite bookworm --debs "$WORK/probe-$1" --tree el/9 --rpms "$WORK/probe-$1" "${@:2}"
}
generation() { readlink "$WORK/repo/current"; }

# whole DIR: every signature in a copy of the repositories holds, and every file that an index names is there with its digest.
whole() {
	local release=$1/apt/dists/bookworm/InRelease
	gpgv --keyring "$WORK/keyring/serviceradar-archive-keyring.gpg" "$release" 2>/dev/null
	gpgv --keyring "$WORK/keyring/serviceradar-archive-keyring.gpg" "$1/rpm/el/9/x86_64/repodata/repomd.xml.asc" "$1/rpm/el/9/x86_64/repodata/repomd.xml" 2>/dev/null
	/usr/bin/python3 - "$1" <<-'P'
		import gzip, hashlib, os, re, sys
		import xml.etree.ElementTree as xml
		top = sys.argv[1]
		files = 0

		def same(path, digest):
		    global files
		    files += 1
		    found = hashlib.sha256(open(path, "rb").read()).hexdigest()
		    if found != digest:
		        sys.exit(f"{path}: {found}, its index says {digest}")

		dist = f"{top}/apt/dists/bookworm"
		for digest, name in re.findall(r"^ ([0-9a-f]{64}) +\d+ (\S+)$", open(f"{dist}/InRelease").read(), re.M):
		    same(f"{dist}/{name}", digest)
		    same(f"{dist}/{os.path.dirname(name)}/by-hash/SHA256/{digest}", digest)
		    if name.endswith("Packages"):
		        for entry in open(f"{dist}/{name}").read().split("\n\n"):
		            entry = dict(re.findall(r"^(\S+): (.*)$", entry, re.M))
		            if entry:
		                same(f"{top}/apt/{entry['Filename']}", entry["SHA256"])
		folder = f"{top}/rpm/el/9/x86_64"
		for data in xml.parse(f"{folder}/repodata/repomd.xml").getroot().iter("{*}data"):
		    name = f"{folder}/" + data.find("{*}location").get("href")
		    same(name, data.find("{*}checksum").text)
		    if data.get("type") == "primary":
		        for package in xml.fromstring(gzip.open(name).read()).iter("{*}package"):
		            same(f"{folder}/" + package.find("{*}location").get("href"), package.find("{*}checksum").text)
		print(files, "files are what their indexes say")
	P
}

@test "PK-6 what is published is whole: signatures, indexes, by-hash, every package; apt and rpm in one generation" {
	[ "$(generation)" = snapshots/000001 ]
	run whole "$WORK/repo"
	echo "$output"
	[ "$status" -eq 0 ]
	publish_version 2
	run whole "$WORK/repo"
	[ "$status" -eq 0 ]
	run whole "$WORK/repo/snapshots/000001"
	[ "$status" -eq 0 ]
	[ "$(grep -c '^Package: serviceradar-probe' "$WORK/repo/apt/dists/bookworm/main/binary-amd64/Packages")" = 2 ]
	# Of what the generation before named, nothing is gone or was written over.
	for f in "$WORK"/repo/snapshots/000001/apt/dists/bookworm/main/*/by-hash/SHA256/* "$WORK"/repo/snapshots/000001/rpm/el/9/*/repodata/*-*.xml.gz; do
		cmp "$f" "${f/000001/000002}"
	done
	echo x >>"$WORK/repo/apt/pool/bookworm/main/s/serviceradar-probe/serviceradar-probe_1_all.deb" # and this test can fail
	run whole "$WORK/repo"
	[ "$status" -ne 0 ]
	rm -rf "$WORK/repo"
	publish_version 1
}

@test "PK-6 a mirror that is copied while one publishes is whole: rsync of the folder, and the indexes before the pool" {
	local before n
	for n in 1 2 3; do
		before=$(generation)
		rm -rf "$WORK/mirror"
		rsync -r --bwlimit=100 "$WORK/repo/current/" "$WORK/mirror/" 3>&- &
		copier=$!
		until_ok 20 sh -c "find '$WORK/mirror' -type f | grep -q ." # it is in the middle
		kill -STOP "$copier"
		publish_version "1$n"
		kill -CONT "$copier" # and still was when the switch had come
		wait "$copier"
		[ "$(generation)" != "$before" ]
		run whole "$WORK/mirror"
		echo "$output"
		[ "$status" -eq 0 ]
		run grep -c "^Version: 1$n" "$WORK/mirror/apt/dists/bookworm/main/binary-amd64/Packages"
		[ "$output" = 0 ]
	done
	# What mirror tools do over HTTP: the indexes, then the packages that they name.
	rm -rf "$WORK/mirror" && mkdir -p "$WORK/mirror/apt" "$WORK/mirror/rpm/el/9/x86_64"
	cp -rL "$WORK/repo/apt/dists" "$WORK/mirror/apt/"
	cp -rL "$WORK/repo/rpm/el/9/x86_64/repodata" "$WORK/mirror/rpm/el/9/x86_64/"
	publish_version 3
	cp -rL "$WORK/repo/apt/pool" "$WORK/mirror/apt/"
	cp -rL "$WORK/repo/rpm/el/9/x86_64/Packages" "$WORK/mirror/rpm/el/9/x86_64/"
	run whole "$WORK/mirror"
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "PK-6 killed at any time: what was published stays whole, and the next one publishes" {
	local n=0 delay before
	for delay in 0.05 0.1 0.2 0.4 0.6 0.8; do
		before=$(generation)
		n=$((n + 1))
		publish_version "2$n" >/dev/null 2>&1 &
		sleep "$delay" # where it is by then does not matter
		pkill -KILL -P $! 2>/dev/null || :
		kill -KILL $! 2>/dev/null || :
		wait $! || :
		run whole "$WORK/repo"
		echo "$delay: $output"
		[ "$status" -eq 0 ]
	done
	until_ok 20 flock -n "$WORK/repo/.lock" true # of the children that the killed ones left
	publish_version 30
	run whole "$WORK/repo"
	[ "$status" -eq 0 ]
	[ ! -e "$WORK/repo/snapshots/.new" ]
	grep -q '^Version: 30' "$WORK/repo/apt/dists/bookworm/main/binary-amd64/Packages"
	run ls "$WORK/repo/snapshots"
	[ "${#lines[@]}" -le 3 ]
}

@test "PK-6 mistakes are refused and change nothing: two at once, the same name with other bytes, a key that clients do not know" {
	local before
	before=$(generation)
	exec 8>"$WORK/repo/.lock"
	flock 8
	run publish_version 40
	[ "$status" -ne 0 ]
	[[ "$output" == *"another one publishes"* ]]
	exec 8>&-
	mkdir -p "$WORK/other"
	probe_deb 30 "$WORK/other"
	cp "$WORK/probe-40/serviceradar-probe_40_all.deb" "$WORK/other/serviceradar-probe_30_all.deb"
	run publish vendor "$WORK/repo" --suite bookworm --debs "$WORK/other"
	[ "$status" -ne 0 ]
	[[ "$output" == *"raise the version"* ]]
	rm -rf "$WORK/other"
	sed -i 's/^One file/Another file/' "$WORK/probe.spec"
	sed -i 's/^Version: .*/Version: 30/' "$WORK/probe.spec"
	mkdir "$WORK/other"
	rpmbuild --quiet --define "_topdir $WORK/probe-rpm" -bb "$WORK/probe.spec" >/dev/null 2>&1
	mv "$WORK/probe-rpm/RPMS/noarch/"*.rpm "$WORK/other"
	run publish vendor "$WORK/repo" --tree el/9 --rpms "$WORK/other"
	[ "$status" -ne 0 ]
	[[ "$output" == *"raise the release"* ]]
	run publish stranger "$WORK/repo" --keyring "$WORK/keyring" --suite bookworm --debs "$WORK/probe-40"
	[ "$status" -ne 0 ]
	[[ "$output" == *"clients would not know it"* ]]
	[ "$(generation)" = "$before" ]
	run whole "$WORK/repo"
	[ "$status" -eq 0 ]
	# A secret key, and a file that is none, make no keyring package.
	with_key vendor gpg --batch --armor --export-secret-keys >"$WORK/keys/archive/secret.asc"
	run "$TOP/mk/repo/keyring.sh" "$WORK/keys" "$WORK/keyring2" http://127.0.0.1 bookworm
	[ "$status" -ne 0 ]
	[[ "$output" == *"secret.asc: a secret key"* ]]
	echo none >"$WORK/keys/archive/secret.asc"
	run "$TOP/mk/repo/keyring.sh" "$WORK/keys" "$WORK/keyring2" http://127.0.0.1 bookworm
	[ "$status" -ne 0 ]
	[[ "$output" == *"not an OpenPGP key"* ]]
}

@test "PK-6 the same packages are published again as they are, signatures included; the key of a later generation may be another" {
	local first
	first=$(sha256sum <"$WORK/repo/rpm/el/9/x86_64/Packages/serviceradar-probe-30-1.noarch.rpm")
	publish_version 30
	[ "$(sha256sum <"$WORK/repo/rpm/el/9/x86_64/Packages/serviceradar-probe-30-1.noarch.rpm")" = "$first" ]
	# The keyring of both is published by the old key first; then the new one signs, and clients that upgraded know it.
	mkdir -p "$WORK/keys/archive"
	rm -f "$WORK/keys/archive/secret.asc"
	with_key stranger gpg --batch --armor --export >"$WORK/keys/archive/stranger.asc"
	"$TOP/mk/repo/keyring.sh" "$WORK/keys" "$WORK/keyring3" http://127.0.0.1:8080 bookworm >/dev/null
	publish stranger "$WORK/repo3" --keyring "$WORK/keyring3" --suite bookworm --debs "$WORK/probe-30"
	gpgv --keyring "$WORK/keyring3/serviceradar-archive-keyring.gpg" "$WORK/repo3/apt/dists/bookworm/InRelease"
	run gpgv --keyring "$WORK/keyring/serviceradar-archive-keyring.gpg" "$WORK/repo3/apt/dists/bookworm/InRelease"
	[ "$status" -ne 0 ]
}

@test "PK-4 the keyring packages: lintian and rpmlint find nothing" {
	run lintian --pedantic -E -I --fail-on error,warning,info,pedantic,experimental --allow-root "$WORK"/keyring/*.changes
	echo "$output"
	[ "$status" -eq 0 ]
	run rpmlint --config "$TOP/rpm/serviceradar.rpmlintrc.toml" "$WORK"/keyring/*.rpm "$TOP/keyring/serviceradar-archive-keyring.spec"
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" == *" 0 errors, 0 warnings"* ]]
}
