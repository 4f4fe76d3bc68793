#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Our validator of JSON Schema against ajv, on configs of this tree's own schemas.

TOP=$(cd "$BATS_TEST_DIRNAME/../.." && pwd)

@test "config schemas: ajv and our validator agree on 200 valid and invalid configs" {
	local dir
	dir=${CACHE_DIR:-$TOP/.cache}/ajv-$(sha256sum <"$TOP/tests/schema/package-lock.json" | cut -c1-12)
	if ! [ -e "$dir/.complete" ]; then
		mkdir -p "$dir"
		cp "$TOP"/tests/schema/package*.json "$dir/"
		npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error
		touch "$dir/.complete"
	fi
	cd "$TOP"
	run env AJV_DIR="$dir" node tests/schema/agree.mjs tests/schema/configs.tsv "${BUILD:-build}/tests/schema-validate"
	echo "$output"
	echo "# ${lines[-1]}" >&3
	[ "$status" -eq 0 ]
	[ "$(cut -d ' ' -f 1 <<<"${lines[-1]}")" -ge 200 ]
}
