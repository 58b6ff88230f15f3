#!/usr/bin/env bash
# All tests, with the servers that they need. Arguments go to the test runner.
#   KEEP=1          leaves the servers running, for the next time
#   PROFILE=ci      the profile of cargo-nextest
set -euo pipefail
# shellcheck source=deploy/local/fleet.sh
. "$(dirname "${BASH_SOURCE[0]}")/fleet.sh"
cd "$root"

if ! deploy/local/install.sh --check >/dev/null 2>&1; then deploy/local/install.sh; fi
if ! servers status >/dev/null 2>&1; then
  # shellcheck disable=SC2016 # expanded by the trap
  [ -n "${KEEP:-}" ] || trap 'servers stop' EXIT
  servers start
fi
eval "$(servers env)"
# The tests make their own settings; those of the fleet that runs here are none of theirs.
unset FLEET__DATABASE__URL FLEET__BROKER__URL

# The fleet's tests run the programs themselves.
cargo build --workspace --bins --locked
if command -v cargo-nextest >/dev/null; then
  cargo nextest run --workspace --locked --profile "${PROFILE:-default}" "$@"
else
  cargo test --workspace --locked "$@"
fi
