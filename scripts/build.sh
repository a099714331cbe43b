#!/bin/sh
# Emits what is published: dist/ (JavaScript and type declarations) and prebuilds/ (addon, BPF objects).
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh build
# The addon of the other machine too, where there is a compiler for it.
for machine in x86_64 aarch64; do
  compiler=$machine-linux-gnu-gcc
  if [ "$machine" != "$(uname -m)" ] && command -v "$compiler" >/dev/null 2>&1; then
    CC=$compiler sh scripts/native.sh "$machine"
  fi
done
PATH="$PWD/node_modules/.bin:$PATH"
rm -rf dist
tsc -p tsconfig.build.json
chmod 755 dist/cli/main.js
