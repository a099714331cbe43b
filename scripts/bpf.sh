#!/bin/sh
# Compiles every forwarder/xdp/*.bpf.c into prebuilds/bpf/*.bpf.o, identical whatever folder it is built in.
set -eu
cd "$(dirname "$0")/.."
mkdir -p prebuilds/bpf
strip=$(command -v llvm-strip || ls /usr/lib/llvm-*/bin/llvm-strip | tail -n 1)
for source in forwarder/xdp/*.bpf.c; do
  object=prebuilds/bpf/$(basename "$source" .c).o
  ${CLANG:-clang} -O2 -g -target bpfel -mcpu=v3 -Wall -Wextra -Werror -ffile-prefix-map="$PWD"=. \
    -I "/usr/include/$(uname -m)-linux-gnu" -c "$source" -o "$object.tmp"
  "$strip" -g "$object.tmp"
  mv "$object.tmp" "$object"
done
