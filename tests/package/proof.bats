#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is said of the built packages (make deb rpm bundle), held against the packages: reproducible, hardened, small, with true
# bills of materials and usable symbols. No container is needed.

load common
load proof

setup_file() {
	WORK=$(mktemp -d)
	export WORK
	unpack_debs "$WORK/root"
}

teardown_file() { rm -rf "$WORK"; }
teardown() { :; }

@test "PK-5 built again in another folder, year, time zone, language, with other modes, umask and jobs: the same bytes" {
	local tree=$WORK/another/place file n=0
	(cd "$TOP" && mk/source-tree.sh "$tree")
	find "$tree" -exec touch -h -d '2020-02-03 04:05:06' {} +
	find "$tree" -type f -perm -100 -exec chmod 0700 {} + -o -type f -exec chmod 0600 {} +
	(
		cd "$tree"
		umask 077
		unset BUILD
		exec env -u MAKEFLAGS -u MAKELEVEL -u SOURCE_DATE_EPOCH -u WERROR TZ=Pacific/Kiritimati LC_ALL=C.UTF-8 LANG=de_DE.UTF-8 HOME=$WORK/home \
			USER=another XDG_CACHE_HOME=$WORK/cache nice faketime -f '+500d' make -s deb rpm bundle JOBS=1
	) >"$WORK/build.log" 2>&1 || { tail -n 40 "$WORK/build.log"; return 1; }
	for file in "$TOP"/build/deb/*.deb "$TOP"/build/deb/*.spdx.json "$TOP"/build/deb/*.dsc "$TOP"/build/deb/*.tar.* "$TOP"/build/rpm/*.rpm \
		"$TOP"/build/rpm/*.spdx.json "$TOP"/build/bundle/*.tar.gz; do
		cmp "$file" "$tree/build/${file#"$TOP"/build/}"
		n=$((n + 1))
	done
	echo "$n files are the same"
	[ "$n" -ge 14 ]
}

@test "PK-4 blhc finds no compiler call without the distribution's hardening, and programs are hardened" {
	run blhc --all "$TOP/build/deb/build.log"
	echo "$output"
	[ "$status" -eq 0 ]
	grep -q -- '-fstack-protector-strong' "$TOP/build/deb/build.log" # it did see the calls
	# The start files of the distribution's C library decide whether a program is marked for control flow protection.
	mapfile -t all < <(programs "$WORK/root")
	run hardening-check --nocfprotection "${all[@]}"
	echo "$output"
	[ "$status" -eq 0 ]
	[ "$(grep -c 'Position Independent Executable: yes' <<<"$output")" -eq 7 ]
	[ "$(grep -c 'Immediate binding: yes' <<<"$output")" -eq 7 ]
	cc -x c -o "$WORK/soft" -no-pie -fno-stack-protector -Wl,-z,norelro - <<<'int main(void) { return 0; }'
	run hardening-check --nocfprotection "$WORK/soft" # and it can fail
	[ "$status" -ne 0 ]
}

@test "PK-4 the SPDX document of each package says what is in it, what it links and what it depends on" {
	local p
	for p in "$TOP"/build/deb/serviceradar-{agent,netprobe}_*.deb "$TOP"/build/rpm/serviceradar-{agent,netprobe}-*."$(uname -m)".rpm; do
		run /usr/bin/python3 "$TOP/tests/lib/spdx.py" "$p"
		echo "$output"
		[ "$status" -eq 0 ]
	done
	# A document that lies is found out: a dependency more, a file less, another digest.
	p=$(ls "$TOP"/build/deb/serviceradar-netprobe_*.deb)
	cp "$p" "$WORK/x.deb"
	for lie in 's/libseccomp2/libseccomp3/g' '/"fileName": ".\/usr\/lib\/serviceradar\/addons\/netprobe\/addon.yaml"/s/addon.yaml/other.yaml/' \
		'/"algorithm": "SHA1"/{n;s/"checksumValue": "./"checksumValue": "x/}' 's/"DYNAMIC_LINK"/"DEPENDS_ON"/'; do
		sed "$lie" "${p%.deb}.spdx.json" >"$WORK/x.spdx.json"
		run cmp -s "${p%.deb}.spdx.json" "$WORK/x.spdx.json"
		[ "$status" -eq 1 ]
		run /usr/bin/python3 "$TOP/tests/lib/spdx.py" "$WORK/x.deb"
		echo "$lie: $output"
		[ "$status" -ne 0 ]
	done
}

@test "PK-4 gdb finds the source lines of every program in the symbols packages, and shows a stack by name" {
	local program n=0
	for program in "$TOP"/build/deb/*-dbgsym_*.deb; do dpkg-deb -x "$program" "$WORK/root"; done
	mapfile -t all < <(programs "$WORK/root")
	for program in "${all[@]}"; do
		run gdb -nx -batch -iex "set debug-file-directory $WORK/root/usr/lib/debug" -ex 'info line main' "$program"
		echo "$output"
		[[ "$output" == *'/main.c" starts at address'* ]]
		n=$((n + 1))
	done
	[ "$n" -eq 7 ]
	run gdb -nx -batch -iex "set debug-file-directory $WORK/root/usr/lib/debug" -ex 'break main' -ex 'run version' \
		-ex bt "$WORK/root/usr/bin/srctl"
	echo "$output"
	[[ "$output" == *"#0  main (argc=2, argv="*") at agent/srctl/main.c:"* ]]
	run gdb -nx -batch -iex 'set debug-file-directory /nonexistent' -ex 'info line main' "$WORK/root/usr/bin/srctl" # not in the program itself
	[[ "$output" != *'main.c" starts'* ]]
}

@test "PK-4 sizes: netprobe at most 400 KiB, the agent at most 300 KiB" {
	local netprobe agent
	netprobe=$(stat -c %s "$TOP"/build/deb/serviceradar-netprobe_*.deb)
	agent=$(stat -c %s "$TOP"/build/deb/serviceradar-agent_*.deb)
	echo "netprobe $netprobe, agent $agent bytes"
	[ "$netprobe" -le $((400 * 1024)) ]
	[ "$agent" -le $((300 * 1024)) ]
}
