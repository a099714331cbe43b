#!/bin/sh
# Entrypoint of the lab image: makes of a Docker container what a node of the topology expects, then runs its command.
set -eu

# Where the datapath is pinned; each node has its own.
mountpoint -q /sys/fs/bpf || mount -t bpf bpf /sys/fs/bpf || echo "lab: no bpffs: this node cannot be a balancer" >&2

# containerlab starts the command before it makes the links, and says how many there will be.
tries=0
while [ "$(find /sys/class/net -name 'eth*' | wc -l)" -lt "${CLAB_INTFS:-0}" ] && [ "$tries" -lt 600 ]; do
  sleep 0.1
  tries=$((tries + 1))
done

exec "$@"
