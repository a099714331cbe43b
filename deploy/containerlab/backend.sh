#!/bin/sh
# A backend: the service, and the agent that restores the VIPs.
set -eu
node /opt/lab/server.mjs &
# BALANCERS is a list of options.
# shellcheck disable=SC2086
exec torii backend run $BALANCERS --interval 1s
