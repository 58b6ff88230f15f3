#!/usr/bin/env bash
# How fast the workers are: scenario B on servers of the bench's own, one task at a time against the
# grouped defaults in the same run. A fleet that runs here is not disturbed, but measured along as
# F, the share of the CPU that others take.
#
#   PURCHASES=20000   purchases of a grouped round; the others have a quarter
#   ROUNDS=3          rounds of each kind
#   --overload        in place of that: a polite client beside a flood, and alone (ratios)
#   KEEP=1            leaves the servers running, for the next time
#   bench.sh --json FILE …   all figures (default: .local/bench/figures.json); see `load bench --help`
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
cd "$root"

# What was given from outside is not for measuring.
unset FLEET__DATABASE__URL FLEET__BROKER__URL SERVERS
bench_dir=$root/.local/bench
servers() { deploy/local/servers.sh --dir "$bench_dir" "$@"; }

if ! deploy/local/install.sh --servers --check >/dev/null 2>&1; then deploy/local/install.sh --servers; fi
cargo build --release --workspace --bins --locked
programs=$(absolute "${CARGO_TARGET_DIR:-$root/target}")/release

[ -n "${KEEP:-}" ] || trap 'servers stop >&2' EXIT
servers start >&2
eval "$(servers env)"
# Only the variables FLEET_TEST_… are used: the bench tells each program where its servers are.
unset FLEET__DATABASE__URL FLEET__BROKER__URL FLEET_LOCAL_URLS
data=$(dirname "$FLEET_TEST_PG_DIR")
# shellcheck source=/dev/null
. "$data/ports.env"

# The sample set-up, with lanes so wide that they are not what is measured.
rm -rf "$bench_dir/directory" "$bench_dir/log"
mkdir -p "$bench_dir/directory" "$bench_dir/log"
for file in deploy/local/sample/*.toml; do
  sed -E "s/127\.0\.0\.1:21080/127.0.0.1:$SIMULATOR_PORT/g; s/^concurrency = [0-9]+/concurrency = 512/" \
    "$file" >"$bench_dir/directory/${file##*/}"
done

"$programs/load" bench --programs "$programs" --settings deploy/settings/local.toml \
  --directory "$bench_dir/directory" --logs "$bench_dir/log" \
  --simulator-port "$SIMULATOR_PORT" --admin-port $((ADMIN_PORT_BASE + 1)) --gateway-port "$GATEWAY_PORT" \
  --postgres-pid "$(pid_in "$FLEET_TEST_PG_PID_FILE")" \
  --rabbitmq-pid "$(pid_in "$FLEET_TEST_RABBITMQ_PID_FILE")" \
  --rabbitmq-version "$("$FLEET_TEST_RABBITMQCTL" version 2>/dev/null | tail -n 1)" \
  --commit "$(git describe --always --dirty 2>/dev/null || echo unknown)" \
  --purchases "${PURCHASES:-20000}" --rounds "${ROUNDS:-3}" \
  --json "$bench_dir/figures.json" "$@"
