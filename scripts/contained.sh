#!/bin/sh
# Runs a command in process and mount namespaces of its own, with a /run, a temporary directory and a bpffs of its
# own. However it ends, by Ctrl-C, a failure or SIGKILL, its processes, network namespaces, mounts, pins and temporary
# files end with them: nothing has to be remembered for cleaning up. Usage: contained.sh COMMAND [ARG...]
set -eu
if [ "${TORII_CONTAINED:-}" != yes ]; then
  TORII_CONTAINED=yes
  export TORII_CONTAINED
  exec unshare --mount --pid --fork --kill-child --mount-proc -- sh "$0" "$@"
fi
mount -t tmpfs tmpfs /run
mkdir /run/netns
if [ -d /sys/fs/bpf ]; then mount -t bpf bpf /sys/fs/bpf; fi
# Not below /run or /tmp, which the fabric's nodes cover with their own; and short, because the path of a unix socket
# has at most 107 characters.
case $PWD/ in
/mnt/*) TMPDIR=/srv ;;
*) TMPDIR=/mnt ;;
esac
mount -t tmpfs -o mode=1777 tmpfs "$TMPDIR"
export TMPDIR
# The first process of a process namespace gets no signal that it does not wait for: it waits, and hands TERM on.
"$@" &
command=$!
trap 'kill -TERM "$command"' TERM
trap ':' INT
code=0
while :; do
  wait "$command" && code=0 || code=$?
  kill -0 "$command" 2>/dev/null || break
done
exit "$code"
