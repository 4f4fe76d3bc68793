#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# openspec.sh ARGUMENT...: runs openspec, the checker of openspec/. It is installed by npm into the cache, once for each content of
# mk/openspec/package-lock.json, which names every package it is made of by digest; none of their scripts is run.
set -eu
top=$(cd "$(dirname "$0")/.." && pwd)
lock=$top/mk/openspec/package-lock.json
dir=${CACHE_DIR:-$top/.cache}/openspec-$(sha256sum <"$lock" | cut -c1-12)
node=node

if ! [ -e "$dir/.complete" ]; then
	command -v npm >/dev/null || {
		echo 'npm is missing: apt install nodejs npm, or dnf install nodejs-npm' >&2
		exit 1
	}
	mkdir -p "$dir"
	cp "$top/mk/openspec/package.json" "$lock" "$dir/"
	npm ci --prefix "$dir" --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null
	# It needs a newer node than some distributions have: npm has that too.
	if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || a == 20 && b >= 19 ? 0 : 1)'; then
		case $(uname -m) in
		x86_64) arch=x64 ;;
		aarch64) arch=arm64 ;;
		*) echo "openspec.sh: node $(node --version) is too old, and there is none for $(uname -m)" >&2; exit 1 ;;
		esac
		npm install --prefix "$dir" --no-save --ignore-scripts --no-audit --no-fund --loglevel=error "node-linux-$arch@22.23.3" >/dev/null
		ln -s "node_modules/node-linux-$arch/bin/node" "$dir/node"
	fi
	touch "$dir/.complete"
fi
[ ! -e "$dir/node" ] || node=$dir/node
cd "$top"
export OPENSPEC_TELEMETRY=0 DO_NOT_TRACK=1
exec "$node" "$dir/node_modules/@fission-ai/openspec/bin/openspec.js" "$@"
