#!/bin/sh
# Starts FRR as a node's main process: the daemons that /etc/frr/daemons names, then its configuration.
set -eu
. /etc/frr/daemons
mkdir -p /run/frr /var/log/frr
chown frr:frr /run/frr /var/log/frr
PATH=/usr/lib/frr:$PATH
zebra -d -F datacenter $zebra_options
for daemon in bgpd bfdd; do
  eval "wanted=\${$daemon:-no} options=\${${daemon}_options:-}"
  [ "$wanted" = no ] || "$daemon" -d -F datacenter $options
done
vtysh -b
trap 'exit 0' TERM INT
# The daemons live as long as the node does; sleep in the background lets the trap run at once.
while :; do
  sleep 3600 &
  wait $!
done
