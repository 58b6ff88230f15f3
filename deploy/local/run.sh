#!/usr/bin/env bash
# The whole fleet on this machine: servers, programs, a few hundred purchases, a summary.
#
#   run.sh          stays up afterwards and says where to look; stop.sh ends it
#   ONCE=1 run.sh   ends everything afterwards; exits 0 only if every promise held
#
#   PURCHASES=300   how many purchases are sent     WORKERS=1   processes of each worker
#   PROFILE=release   optimised, 2.5 times the build   SERVERS=compose   servers by Docker Compose
set -euo pipefail
# shellcheck source=deploy/local/fleet.sh
. "$(dirname "${BASH_SOURCE[0]}")/fleet.sh"
cd "$root"

purchases=${PURCHASES:-300} workers=${WORKERS:-1} once=${ONCE:-} profile=${PROFILE:-dev}
case $purchases$workers in *[!0-9]*) die "PURCHASES and WORKERS are numbers" ;; esac
{ [ "$workers" -ge 1 ] && [ "$workers" -le 4 ]; } || die "WORKERS is 1 to 4"
case $profile in
  # The build of the tests, so that `make test` goes on from it.
  dev) build=(cargo build --workspace --bins --locked) minutes=8 ;;
  release) build=(cargo build --release --workspace --bins --locked) minutes=19 ;;
  *) die "PROFILE is dev or release" ;;
esac
target=$(absolute "${CARGO_TARGET_DIR:-$root/target}")
programs=$target/$([ "$profile" = dev ] && echo debug || echo release)

settings=(--settings deploy/settings/local.toml)
outside_broker=${FLEET__BROKER__URL:-}
finished=''

servers_were_up=''
if servers status >/dev/null 2>&1; then servers_were_up=yes; fi

# stop_all: servers that ran before this script stay.
stop_all() {
  stop_fleet
  [ -n "$servers_were_up" ] || servers stop
}

# Whatever ends this script early ends what it started, but not the logs.
# shellcheck disable=SC2317 # called by the trap
on_exit() {
  local status=$?
  if [ -z "$finished" ]; then
    [ "$status" != 0 ] || status=1
    warn "not finished; stopping what was started (logs: $log_dir)"
    stop_all || true
  fi
  exit "$status"
}
trap on_exit EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

step() { title "$(printf '\n[%s, %d:%02d] %s' "$1" $((SECONDS / 60)) $((SECONDS % 60)) "$2")"; }

# step_log NAME COMMAND...: output goes to a log; its end is shown when the command fails.
step_log() {
  local name=$1
  shift
  if ! "$@" >"$log_dir/$name.log" 2>&1; then
    warn "$name failed: $*"
    tail_of "$log_dir/$name.log"
    die "log: $log_dir/$name.log"
  fi
}

fleet() { "$programs/fleet" "${settings[@]}" "$@"; }

# broker_for USER: each program has its own user with its own permissions, unless a broker was given.
broker_for() {
  if [ -n "$outside_broker" ]; then
    printf '%s\n' "$outside_broker"
  else
    printf 'amqp://%s:sample-%s@127.0.0.1:%s/fleet\n' "$1" "$1" "$AMQP_PORT"
  fi
}

# wait_ready NAME PATH: until it says so; its log when it dies or does not within two minutes.
wait_ready() {
  local name=$1 path=$2 port started=$SECONDS
  port=$(instance_port "$name")
  while ! http_ok "$port" "$path"; do
    if ! instance_runs "$name"; then
      warn "$name died while starting:"
      tail_of "$log_dir/$name.log"
      die "log: $log_dir/$name.log"
    fi
    if [ $((SECONDS - started)) -gt 120 ]; then
      warn "$name is not ready after two minutes (http://127.0.0.1:$port$path):"
      tail_of "$log_dir/$name.log"
      die "log: $log_dir/$name.log"
    fi
    sleep 0.2
  done
  printf '  %-20s ready  %s\n' "$name" "${dim}http://127.0.0.1:$port$path$plain"
}

start_programs() {
  local worker number name port=$ADMIN_PORT_BASE
  start_instance simulator "$SIMULATOR_PORT" "$programs/simulator" \
    --listen "127.0.0.1:$SIMULATOR_PORT" --gateway "http://127.0.0.1:$GATEWAY_PORT"
  if port_taken "$GATEWAY_PORT"; then die "port $GATEWAY_PORT, for the gateway, is taken"; fi
  FLEET__GATEWAY__LISTEN=127.0.0.1:$GATEWAY_PORT FLEET__ADMIN__LISTEN=127.0.0.1:$port \
    FLEET__BROKER__URL=$(broker_for gateway) \
    start_instance gateway "$port" "$programs/gateway" "${settings[@]}"
  for worker in reservation dispensing result-delivery fraud-reporting; do
    for ((number = 1; number <= workers; number++)); do
      port=$((port + 1)) name=$worker
      [ "$workers" = 1 ] || name=$worker-$number
      FLEET__ADMIN__LISTEN=127.0.0.1:$port FLEET__BROKER__URL=$(broker_for "$worker") \
        start_instance "$name" "$port" "$programs/$worker" "${settings[@]}"
    done
  done
}

# sample_files: the sample set-up; where this checkout has other ports, a copy that names them.
sample_files() {
  local file
  if [ "$SIMULATOR_PORT" = 21080 ]; then
    samples=(deploy/local/sample/*.toml)
    return
  fi
  mkdir -p "$local_dir/sample"
  samples=()
  for file in deploy/local/sample/*.toml; do
    sed "s/127\.0\.0\.1:21080/127.0.0.1:$SIMULATOR_PORT/g" "$file" >"$local_dir/sample/${file##*/}"
    samples+=("$local_dir/sample/${file##*/}")
  done
}

where_to_look() {
  cat <<END

${bold}The fleet stays up.${plain}
  gateway      http://127.0.0.1:$GATEWAY_PORT        simulator  http://127.0.0.1:$SIMULATOR_PORT
  postgres     $FLEET__DATABASE__URL
  rabbitmq     ${outside_broker:-http://127.0.0.1:$MANAGEMENT_PORT  (guest / guest)}
  logs         $log_dir/*.log
  operators    eval "\$(deploy/local/servers.sh env)" && $programs/fleet ${settings[*]} summary

  make status  what runs        make stop  ends all of it
END
}

command -v cargo >/dev/null || die "Rust is missing: install rustup; rust-toolchain.toml names the version"
mkdir -p "$run_dir" "$log_dir"
began=$SECONDS
stop_fleet

step 1/6 "What this machine lacks"
if [ "${SERVERS:-}" != compose ] && ! deploy/local/install.sh --servers --check 2>/dev/null; then
  if ! deploy/local/install.sh --servers; then
    # No way to install: an engine that answers will do for the servers, but not for a linker.
    command -v cc >/dev/null && docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1 || exit 3
    say "Docker answers: the servers come from deploy/compose.yaml"
  fi
fi

step 2/6 "Build (${build[*]})"
if [ ! -x "$programs/gateway" ]; then
  say "  the first build: about $minutes minutes on two cores, less on more; the next one takes seconds"
fi
"${build[@]}"

step 3/6 "Postgres and RabbitMQ"
servers start
# shellcheck source=/dev/null
. <(cat "$local_dir/ports.env" 2>/dev/null || cat "$local_dir/servers/ports.env")
eval "$(servers env)"

step 4/6 "Schema and sample set-up"
# The simulator's memory begins with this run, so the fleet's has to as well: a hold of an earlier run
# is unknown to its bank.
servers fresh
step_log migrate fleet migrate
sample_files
step_log import fleet import "${samples[@]}"
say "  schema is up to date, ${#samples[@]} sample files imported (logs: $log_dir/migrate.log, import.log)"

step 5/6 "Simulator, gateway and four workers ($workers of each)"
start_programs
for name in $(instances); do
  if [ "$name" = simulator ]; then wait_ready "$name" /live; else wait_ready "$name" /ready; fi
done

step 6/6 "$purchases purchases, both scenarios, both ways in"
status=0
"$programs/load" run --gateway "http://127.0.0.1:$GATEWAY_PORT" --amqp "$(broker_for svc-shop)" \
  --simulator "http://127.0.0.1:$SIMULATOR_PORT" --purchases "$purchases" || status=$?
for name in $(instances); do
  if ! instance_runs "$name"; then
    warn "$name died on the way:"
    tail_of "$log_dir/$name.log"
    status=1
  fi
done
title "$(printf '\nSummary')"
fleet summary --check --wait-seconds 60 || status=$?
fleet verify --settled --simulator "http://127.0.0.1:$SIMULATOR_PORT" || status=$?

finished=yes
if [ -n "$once" ]; then stop_all; fi
if [ "$status" = 0 ]; then
  good "All promises held ($((SECONDS - began)) s)."
else
  warn "Not every promise held (status $status). Logs: $log_dir"
fi
if [ -z "$once" ]; then where_to_look; fi
exit "$status"
