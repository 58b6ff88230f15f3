#!/usr/bin/env bash
# Drills: a fleet under load whose programs and servers are killed. Always on servers of their own;
# their data goes at the end. Arguments go to the drills (--list, --help, names).
#   SEED=N          the same kills and purchases again
#   BASE_PORT=N     where to look for free ports (default 28500)
#   KEEP=1          leaves the servers and their logs, in .local/drill
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

run=(cargo run --quiet --package fleet-faults --example drills --locked)
drills=("${run[@]}" --)
for argument in "$@"; do
  case $argument in
    --list | --help | -h) exec "${drills[@]}" "$@" ;;
  esac
done
# Histories need no servers, and many of them are worth an optimised build.
case " $* " in
  *" kills "* | *" reconnect "* | *" broker-disk "* | *" neighbours "* | *" no-broker "* | *" mutations "*) ;;
  *" simulation "*" --trace "*) exec "${drills[@]}" "$@" ;;
  *" simulation "*) exec "${run[@]}" --release -- "$@" ;;
esac

# Servers that somebody else named are never killed.
unset FLEET__DATABASE__URL FLEET__BROKER__URL SERVERS
dir=${DRILL_DIR:-$root/.local/drill}
servers() { deploy/local/servers.sh --dir "$dir" "$@"; }

if ! deploy/local/install.sh --servers --check >/dev/null 2>&1; then deploy/local/install.sh --servers; fi
cargo build --workspace --bins --locked
[ -n "${KEEP:-}" ] || trap 'servers clean' EXIT
servers --base-port "${BASE_PORT:-28500}" start
eval "$(servers env)"
unset FLEET__DATABASE__URL FLEET__BROKER__URL
[ -n "${FLEET_TEST_PG_PID_FILE:-}" ] || die "drills kill servers that run as processes here, not in containers"
FLEET_DRILL=1 "${drills[@]}" "$@"
