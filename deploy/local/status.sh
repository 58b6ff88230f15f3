#!/usr/bin/env bash
# What of this checkout runs. Exit 0 when all of it does, 3 otherwise.
set -euo pipefail
# shellcheck source=deploy/local/fleet.sh
. "$(dirname "${BASH_SOURCE[0]}")/fleet.sh"
missing=0
servers status || missing=3
found=$(instances)
[ -n "$found" ] || { say "the fleet's programs are stopped" && missing=3; }
for name in $found; do
  port=$(instance_port "$name") path=/ready state=ready
  [ "$name" != simulator ] || path=/live
  if ! instance_runs "$name"; then state=dead missing=3
  elif ! http_ok "$port" "$path"; then state='not ready' missing=3; fi
  printf '%-20s %-10s pid %-8s http://127.0.0.1:%s%s  log %s\n' "$name" "$state" \
    "$(pid_in "$run_dir/$name.pid")" "$port" "$path" "$log_dir/$name.log"
done
exit $missing
