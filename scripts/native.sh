#!/bin/sh
# Builds the Node-API addon: prebuilds/linux-<arch>/torii.node. Usage: [CC=COMPILER] native.sh [x86_64|aarch64]
set -eu
cd "$(dirname "$0")/.."
machine=${1:-$(uname -m)}
case $machine in
x86_64) arch=x64 ;;
aarch64) arch=arm64 ;;
*) echo "torii: no addon for $machine: x86_64 and aarch64 are supported" >&2; exit 1 ;;
esac
# Those of the pinned Node package, whichever of the two is installed: they are the same for all machines.
headers=$(dirname "$(ls node_modules/node-linux-*/include/node/node_api.h | head -n 1)")
out=prebuilds/linux-$arch
mkdir -p "$out"
# Written aside and renamed: a process that has the old file mapped keeps it.
${CC:-cc} -shared -fPIC -O2 -Wall -Wextra -Werror -ffile-prefix-map="$PWD"=. \
  -I "$headers" native/*.c -o "$out/torii.node.tmp" -ldl -s
mv "$out/torii.node.tmp" "$out/torii.node"
