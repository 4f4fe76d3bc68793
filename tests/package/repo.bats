#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The signed repositories of `make repo`, over HTTP: the container's own apt or dnf (FAMILY) takes from them by name, and what was
# tampered with it refuses.

load common
load repo
NAME=sr-repo-$FAMILY

setup_file() {
	WORK=$(mktemp -d)
	export WORK
	signing_key vendor
	signing_key stranger
	keyring vendor "$WORK/keyring"
	publish vendor "$WORK/repo" --keyring "$WORK/keyring" --suite bookworm --debs "$TOP/build/deb" --tree el/9 --rpms "$TOP/build/rpm"
	"$CT" up "$NAME" "$("$TOP/tests/lib/rootfs" "$FAMILY")"
	sh_ct 'rm -f /etc/apt/sources.list /etc/yum.repos.d/*'
	serve 8080 "$WORK/repo"
}

teardown_file() {
	stop_serving 8080
	stop_serving 8081
	"$CT" down "$NAME"
	stop_agents
	rm -rf "$WORK"
}

# What this host's package manager says when it looks at the repository on PORT as if for the first time.
refresh() {
	if [ "$FAMILY" = deb ]; then
		sh_ct "rm -rf /tmp/lists && mkdir /tmp/lists && sed 's/8080/$1/' /etc/apt/sources.list.d/serviceradar.sources >/tmp/probe.sources &&
			apt-get -q -o Dir::Etc::sourcelist=/tmp/probe.sources -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=/tmp/lists update 2>&1"
	else
		sh_ct "rm -rf /tmp/repos /tmp/cache && mkdir /tmp/repos && sed 's/8080/$1/' /etc/yum.repos.d/serviceradar.repo >/tmp/repos/x.repo &&
			dnf -q -y --releasever=9 --setopt=reposdir=/tmp/repos --setopt=cachedir=/tmp/cache --setopt=skip_if_unavailable=0 makecache 2>&1"
	fi
}
# take PACKAGE: installs it by what refresh read.
take() {
	if [ "$FAMILY" = deb ]; then
		sh_ct "rm -f /var/cache/apt/archives/*.deb
			apt-get -q -y -o Dir::Etc::sourcelist=/tmp/probe.sources -o Dir::Etc::sourceparts=/dev/null -o Dir::State::lists=/tmp/lists install $1 2>&1"
	else
		sh_ct "dnf -q -y --releasever=9 --setopt=reposdir=/tmp/repos --setopt=cachedir=/tmp/cache --setopt=skip_if_unavailable=0 install $1 2>&1"
	fi
}
probe_version() { in_ct cat /usr/share/serviceradar-probe/version; }
without_probe() { if [ "$FAMILY" = deb ]; then sh_ct 'dpkg -P serviceradar-probe' >/dev/null 2>&1; else sh_ct 'rpm -e serviceradar-probe' >/dev/null 2>&1; fi || :; }

# spoil: a copy of the repository to be spoilt, in $BAD; served on 8081 with what the test does to it.
spoil() {
	BAD=$WORK/bad
	rm -rf "$BAD"
	mkdir "$BAD"
	cp -rL "$WORK/repo/apt" "$WORK/repo/rpm" "$BAD/"
	D=$BAD/apt/dists/bookworm
	R=$BAD/rpm/el/9/x86_64
}
# flip FILE...: the middle byte is another one, the size the same.
flip() {
	local file
	for file; do
		printf '%b' "\\x$(printf %02x $((0x$(od -An -tx1 -j "$(($(stat -c %s "$file") / 2))" -N1 "$file" | tr -d " ") ^ 1)))" |
			dd of="$file" bs=1 seek="$(($(stat -c %s "$file") / 2))" conv=notrunc status=none
	done
}
# refused TEXT: the refresh fails, and says so.
refused() {
	serve 8081 "$BAD"
	run refresh 8081
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" =~ $1 ]]
	run take serviceradar-probe
	[ "$status" -ne 0 ]
	run probe_version
	[ "$status" -ne 0 ]
}

@test "PK-6 a host that has nothing: the keyring package, then netprobe by name; the agent comes with it" {
	if [ "$FAMILY" = deb ]; then
		sh_ct 'cd /tmp && curl -fsSO http://127.0.0.1:8080/apt/serviceradar-archive-keyring.deb &&
			apt-get -q -y install ./serviceradar-archive-keyring.deb &&
			cp /usr/share/serviceradar-archive-keyring/bookworm.sources /etc/apt/sources.list.d/serviceradar.sources'
		run in_ct apt-get -q update
		echo "$output"
		[ "$status" -eq 0 ]
		[[ "$output" != *[WE]:\ * ]]
		in_ct apt-get -q -y install serviceradar-netprobe
		cmp "$("$CT" root "$NAME")/etc/apt/sources.list.d/serviceradar.sources" "$WORK/repo/apt/bookworm.sources"
		run sh_ct 'ls /etc/apt/trusted.gpg.d/ | grep -i serviceradar' # trusted for its own repository only
		[ "$status" -ne 0 ]
	else
		in_ct rpm --import http://127.0.0.1:8080/keys/serviceradar-archive-keyring.asc
		in_ct dnf -q -y --releasever=9 --setopt=localpkg_gpgcheck=1 install http://127.0.0.1:8080/rpm/el/9/serviceradar-archive-keyring.rpm
		in_ct dnf -q -y --releasever=9 install serviceradar-netprobe
		cmp "$("$CT" root "$NAME")/etc/yum.repos.d/serviceradar.repo" "$WORK/repo/rpm/el.repo"
		run in_ct rpm -K --verbose http://127.0.0.1:8080/rpm/el/9/x86_64/Packages/serviceradar-agent-1.4.0-1.x86_64.rpm
		[[ "$output" == *"Signature, key ID"*": OK"* ]]
	fi
	[ -x "$("$CT" root "$NAME")$UPDATER" ]
	[ -e "$("$CT" root "$NAME")$PAYLOAD/serviceradar-netprobe" ]
	start_agent
	in_ct srctl addon enable netprobe
	status_is state active
	grep -q 'netprobe.* 200 ' "$WORK/web-8080.log"
}

@test "PK-6 an index that was changed, is not signed, or is signed by a stranger: refused, nothing installed" {
	# shellcheck disable=SC2046 # options
	publish vendor "$WORK/repo" --keyring "$WORK/keyring" $(probe 1)
	if [ "$FAMILY" = deb ]; then
		spoil && find "$D/main/binary-amd64" -type f -exec sh -c 'for f; do echo "Package: evil" >>"$f"; done' sh {} +
		refused 'Hash Sum mismatch|unexpected size'
		# shellcheck disable=SC2046 # names without spaces
		spoil && flip $(find "$D/main/binary-amd64" -type f -size +0)
		refused 'Hash Sum mismatch'
		spoil && sed -i 's/^Label: .*/Label: Evil/' "$D/InRelease" "$D/Release"
		refused 'BADSIG|signatures were invalid'
		spoil && rm "$D/InRelease" "$D/Release.gpg"
		refused 'is not signed'
		spoil && rm "$D/InRelease" "$D/Release.gpg" && with_key stranger gpg --batch --clear-sign --output "$D/InRelease" "$D/Release"
		refused 'NO_PUBKEY'
		spoil && FINGERPRINT=$(cat "$WORK/vendor.fpr") VALID_DAYS=-1 with_key vendor "$TOP/mk/repo/index-deb.sh" "$BAD/apt" bookworm
		refused 'is expired'
	else
		spoil && flip "$R"/repodata/*-primary.xml.gz
		refused 'checksum|Cannot download'
		spoil && sed -i 's|<revision>|<revision>9|' "$R/repodata/repomd.xml"
		refused '[Bb]ad.*signature|GPG'
		spoil && rm "$R/repodata/repomd.xml.asc"
		refused 'GPG|repomd.xml.asc|404'
		spoil && rm "$R/repodata/repomd.xml.asc" && with_key stranger gpg --batch --armor --detach-sign "$R/repodata/repomd.xml"
		refused 'GPG|signature'
	fi
}

@test "PK-6 a package that was changed, or whose own signature is missing or a stranger's: refused, nothing installed" {
	if [ "$FAMILY" = deb ]; then
		spoil && flip "$BAD"/apt/pool/bookworm/main/s/serviceradar-probe/*.deb
		serve 8081 "$BAD"
		refresh 8081
		run take serviceradar-probe
		echo "$output"
		[ "$status" -ne 0 ]
		[[ "$output" == *"Hash Sum mismatch"* ]]
	else
		for how in flipped unsigned strange; do
			spoil
			p=$R/Packages/serviceradar-probe-1-1.noarch.rpm
			case $how in
			flipped) flip "$p" ;;
			unsigned) rpmsign --delsign "$p" >/dev/null ;;
			strange) with_key stranger rpmsign --define "_gpg_name $(cat "$WORK/stranger.fpr")" --define '__gpg /usr/bin/gpg' --resign "$p" >/dev/null ;;
			esac
			# The metadata are the vendor's own and match: the signature of the package alone is to be blamed.
			[ "$how" = flipped ] || FINGERPRINT=$(cat "$WORK/vendor.fpr") with_key vendor "$TOP/mk/repo/index-rpm.sh" "$BAD/rpm" el/9/x86_64/
			serve 8081 "$BAD"
			refresh 8081
			run take serviceradar-probe
			echo "$how: $output"
			[ "$status" -ne 0 ]
			[[ "$output" =~ checksum|GPG|'not signed'|'not installed'|'Cannot download' ]]
			run probe_version
			[ "$status" -ne 0 ]
		done
	fi
	run probe_version
	[ "$status" -ne 0 ]
	refresh 8080 # and as it is published, it is taken
	take serviceradar-probe
	[ "$(probe_version)" = 1 ]
}

@test "PK-6 a client in the middle of a publish gets one generation or the other, whole, at whichever request it happens" {
	local requests version=1 request
	if [ "$FAMILY" = deb ]; then requests='InRelease Packages|by-hash pool/'; else requests='repomd.xml$ repomd.xml.asc$ primary.xml filelists|primary Packages/'; fi
	for request in $requests; do
		without_probe
		version=$((version + 1))
		# shellcheck disable=SC2046 # options
		cat >"$WORK/publish-now" <<-P
			#!/bin/bash
			source $TOP/tests/package/repo.bash
			TOP=$TOP WORK=$WORK
			publish vendor $WORK/repo --keyring $WORK/keyring $(probe $version)
		P
		serve 8081 "$WORK/repo" "$request" "bash $WORK/publish-now"
		run refresh 8081
		echo "$request: $output"
		if [ "$status" -ne 0 ]; then
			# The signature of repomd.xml is another file, so the switch can come between the two: refused, and right the next time.
			[ "$request" = 'repomd.xml.asc$' ]
			[[ "$output" == *[Ss]ignature* || "$output" == *GPG* ]]
			refresh 8081
		fi
		run take serviceradar-probe
		echo "$output"
		[ "$status" -eq 0 ]
		[ "$(probe_version)" = $((version - 1)) ] || [ "$(probe_version)" = "$version" ]
		grep -q generation "$WORK/web-8081.err" # it did happen
		refresh 8081
		take serviceradar-probe
		if [ "$FAMILY" = rpm ]; then sh_ct 'dnf -q -y --releasever=9 --setopt=reposdir=/tmp/repos --setopt=cachedir=/tmp/cache --setopt=skip_if_unavailable=0 upgrade'; fi
		[ "$(probe_version)" = "$version" ]
	done
}

@test "PK-6 a key that has expired: refused; with its renewed public half the same repository is taken again" {
	local root file
	root=$("$CT" root "$NAME")
	if [ "$FAMILY" = deb ]; then file=usr/share/keyrings/serviceradar-archive-keyring.gpg; else file=etc/pki/rpm-gpg/RPM-GPG-KEY-serviceradar; fi
	trust_old() {
		with_key old gpg --batch --armor --export-options export-minimal --export >"$root/$file"
		[ "$FAMILY" = rpm ] || with_key old gpg --batch --export-options export-minimal --export >"$root/$file"
	}
	without_probe
	# Made and used in the past.
	install -d -m 700 "$WORK/gpg-old"
	echo 'faked-system-time 20260101T000000!' >"$WORK/gpg-old/gpg.conf"
	EXPIRE=30d signing_key old
	# shellcheck disable=SC2046 # options
	publish old "$WORK/oldrepo" $(probe 90)
	serve 8081 "$WORK/oldrepo"
	trust_old
	run refresh 8081
	echo "$output"
	[ "$status" -ne 0 ]
	[[ "$output" =~ EXPKEYSIG|'Bad GPG signature' ]]
	echo 'faked-system-time 20260115T000000!' >"$WORK/gpg-old/gpg.conf"
	with_key old gpg --batch --quiet --quick-set-expire "$(cat "$WORK/old.fpr")" 20y
	trust_old
	refresh 8081
	take serviceradar-probe
	[ "$(probe_version)" = 90 ]
}
