#!/bin/sh
# Emits what is published: dist/ (JavaScript and type declarations) and prebuilds/ (addon, BPF objects).
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh build
PATH="$PWD/node_modules/.bin:$PATH"
rm -rf dist
tsc -p tsconfig.build.json
chmod 755 dist/cli/main.js
