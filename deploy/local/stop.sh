#!/usr/bin/env bash
# Ends what run.sh started: the fleet's programs, in order, then the servers. By pid, and only ours.
set -euo pipefail
# shellcheck source=deploy/local/fleet.sh
. "$(dirname "${BASH_SOURCE[0]}")/fleet.sh"
stop_fleet
servers stop
