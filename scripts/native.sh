#!/bin/sh
# Builds the Node-API addon: prebuilds/linux-<arch>/torii.node. Headers come from the pinned Node package.
set -eu
cd "$(dirname "$0")/.."
case "$(uname -m)" in
x86_64) arch=x64 ;;
aarch64) arch=arm64 ;;
*) echo "torii: no addon for $(uname -m): x86_64 and aarch64 are supported" >&2; exit 1 ;;
esac
out=prebuilds/linux-$arch
mkdir -p "$out"
# Written aside and renamed: a process that has the old file mapped keeps it.
${CC:-cc} -shared -fPIC -O2 -Wall -Wextra -Werror -ffile-prefix-map="$PWD"=. \
  -I "node_modules/node-linux-$arch/include/node" native/*.c -o "$out/torii.node.tmp" -ldl -s
mv "$out/torii.node.tmp" "$out/torii.node"
