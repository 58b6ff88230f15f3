#!/usr/bin/env bash
# A private PostgreSQL and RabbitMQ for this checkout: own ports, own data, own processes.
#
#   servers.sh start  [postgres|rabbitmq]   start what does not run yet, and wait until it serves
#   servers.sh stop   [postgres|rabbitmq]   stop what was started here
#   servers.sh status                       say what runs; exit 3 when something does not
#   servers.sh env                          print shell exports: how to reach it
#   servers.sh fresh                        an empty database `fleet` in place of the old one
#   servers.sh clean                        stop, and remove the data
#
#   --dir DIR       where ports, data and logs are kept (default: .local of the checkout)
#   --base-port N   ports N+32 (Postgres), N+69 to N+95 (RabbitMQ); default 21500, or the next
#                   block of 1000 that is free; remembered in ports.env
#
# A server named by FLEET__DATABASE__URL or FLEET__BROKER__URL is used instead, and none is started.
# SERVERS=compose takes Docker Compose with deploy/compose.yaml; it is also taken when nothing is
# installed and an engine answers. Nothing here touches a server that it did not start. Postgres
# trusts every connection from this machine: these servers are for development only.
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

postgres_version_min=15

command='' only='' dir=$root/.local base=''
while [ $# -gt 0 ]; do
  case $1 in
    --dir) dir=$(absolute "$2") && shift 2 ;;
    --base-port) base=$2 && shift 2 ;;
    start | stop | status | env | clean | fresh) command=$1 && shift ;;
    postgres | rabbitmq) only=$1 && shift ;;
    -h | --help) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" | sed '$d'; exit 0 ;;
    *) die "servers.sh: what is $1? (--help)" ;;
  esac
done
[ -n "$command" ] || die "servers.sh: start, stop, status, env, fresh or clean? (--help)"
case $base in *[!0-9]*) die "--base-port takes a number" ;; esac

hash=$(printf %s "$dir" | sha256sum | cut -c1-10)
node="fleet-$hash@localhost"
compose_project="purchase-fleet-$hash"

# wants NAME: this call is about that server.
wants() { [ -z "$only" ] || [ "$only" = "$1" ]; }
given_database() { [ -n "${FLEET__DATABASE__URL:-}" ]; }
given_broker() { [ -n "${FLEET__BROKER__URL:-}" ]; }

# --- where things are ----------------------------------------------------------------------------

find_postgres() {
  local found
  if [ -n "${PG_BIN:-}" ]; then
    found=$PG_BIN
  else
    found=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -t/ -k5 -n | tail -n 1)
    [ -x "$found/postgres" ] || found=$(dirname "$(command -v postgres || echo /none/postgres)")
  fi
  [ -x "$found/postgres" ] && [ -x "$found/initdb" ] || return 1
  printf '%s\n' "$found"
}

find_rabbitmq() {
  local found
  for found in "${RABBITMQ_BIN:-}" /usr/lib/rabbitmq/bin /usr/lib/rabbitmq/lib/*/sbin \
    "$(dirname "$(command -v rabbitmq-server || echo /none/rabbitmq-server)")"; do
    if [ -x "$found/rabbitmq-server" ] && [ -x "$found/rabbitmqctl" ]; then
      printf '%s\n' "$found"
      return 0
    fi
  done
  return 1
}

compose_answers() { docker info >/dev/null 2>&1 && docker compose version >/dev/null 2>&1; }

# data_folder: root's servers run as users postgres and rabbitmq. Where these cannot reach DIR
# (a checkout under /root, say), data goes to /var/tmp and DIR/servers points there.
data_folder() {
  local user
  if is_root; then
    for user in postgres rabbitmq; do
      id "$user" >/dev/null 2>&1 || continue
      if ! setpriv --reuid "$user" --regid "$user" --clear-groups test -x "$dir"; then
        printf '/var/tmp/purchase-fleet-%s\n' "$hash"
        return
      fi
    done
  fi
  printf '%s\n' "$dir"
}

# as USER COMMAND...: sets `prefix` to what makes root's child run as that user.
as() { if is_root; then prefix=(setpriv --reuid "$1" --regid "$1" --clear-groups --); else prefix=(); fi; }
own() { if is_root; then chown -R "$1:$1" "$2"; fi; }

mkdir -p "$dir"
data=$(data_folder)
if [ "$data" != "$dir" ]; then
  # The name can be guessed and everybody may write to /var/tmp: only a folder of ours will do.
  mkdir -m 755 "$data" 2>/dev/null || true
  { [ -O "$data" ] && [ ! -L "$data" ]; } || die "$data belongs to somebody else"
  ln -sfn "$data" "$dir/servers"
fi
ports_file=$data/ports.env
pg=$data/postgres pg_pid=$data/postgres/postmaster.pid pg_log=$data/log/postgres.log
mq=$data/rabbitmq mq_pid=$data/rabbitmq/beam.pid mq_log=$data/log/rabbitmq.log
epmd_pid=$data/rabbitmq/epmd.pid

postgres_runs() { alive "$pg_pid" "$pg"; }
# Its home stands in the command line, its name does not.
rabbitmq_runs() { alive "$mq_pid" "-home $mq "; }
epmd_runs() { alive "$epmd_pid" "-port $epmd_port "; }

# --- ports ---------------------------------------------------------------------------------------

name_ports() {
  pg_port=$((base + 32)) epmd_port=$((base + 69)) amqp_port=$((base + 72))
  management_port=$((base + 73)) prometheus_port=$((base + 74)) dist_port=$((base + 75))
  ctl_port_min=$((base + 76)) ctl_port_max=$((base + 95))
  own_database=postgres://postgres@127.0.0.1:$pg_port/fleet
  own_broker=amqp://operator:sample-operator@127.0.0.1:$amqp_port/fleet
  gateway_port=$((base - 419)) admin_port_base=$((base - 400)) simulator_port=$((base - 420))
}

ports_free() {
  local port
  for port in "$pg_port" "$amqp_port" "$management_port" "$prometheus_port" "$dist_port"; do
    if port_taken "$port"; then return 1; fi
  done
  epmd_runs || ! port_taken "$epmd_port"
}

# fleet_ports_free: also those that the fleet's own programs will want; asked when ports are chosen
# afresh, for these programs may run before the servers are started again.
fleet_ports_free() { ! port_taken "$gateway_port" && ! port_taken "$simulator_port"; }

# choose_ports: keeps the remembered ones while a server of ours runs there or they are free.
# Ports stay below 32768: above, an outgoing connection of this machine may hold one at any time.
choose_ports() {
  local remembered=''
  # shellcheck source=/dev/null
  if [ -r "$ports_file" ]; then remembered=$(. "$ports_file" && printf %s "${BASE_PORT:-}"); fi
  base=${base:-${remembered:-21500}}
  name_ports
  if [ "$remembered" = "$base" ] && { postgres_runs || rabbitmq_runs || compose_runs; }; then return 0; fi
  if postgres_runs || rabbitmq_runs; then
    die "servers of this folder run on other ports ($remembered): stop them first"
  fi
  if [ "$remembered" = "$base" ]; then
    # What was killed a moment ago may hold its ports a little longer.
    for _ in $(seq 1 50); do
      if ports_free; then return 0; fi
      sleep 0.1
    done
  fi
  end "$epmd_pid" "epmd -port" TERM 5
  while ! ports_free || ! fleet_ports_free; do
    say "ports of block $base are taken, trying the next"
    base=$((base + 1000))
    [ "$base" -lt 32500 ] || die "no free block of ports between 21000 and 32500 (--base-port)"
    name_ports
  done
  cat >"$ports_file" <<END
# Ports of this checkout, below 32768. Written by deploy/local/servers.sh.
BASE_PORT=$base
GATEWAY_PORT=$gateway_port
ADMIN_PORT_BASE=$admin_port_base
SIMULATOR_PORT=$simulator_port
POSTGRES_PORT=$pg_port
AMQP_PORT=$amqp_port
MANAGEMENT_PORT=$management_port
PROMETHEUS_PORT=$prometheus_port
SERVERS=$1
END
}

read_ports() {
  [ -r "$ports_file" ] || return 1
  # shellcheck source=/dev/null
  base=$(. "$ports_file" && printf %s "$BASE_PORT")
  # shellcheck source=/dev/null
  kind=$(. "$ports_file" && printf %s "$SERVERS")
  name_ports
}

# --- PostgreSQL ----------------------------------------------------------------------------------

make_cluster() {
  if [ ! -s "$pg/PG_VERSION" ]; then
    mkdir -p "$pg" && chmod 700 "$pg" && own postgres "$pg"
    as postgres
    "${prefix[@]}" env -i PATH="$pg_bin:/usr/bin:/bin" LANG=C.UTF-8 "$pg_bin/initdb" -D "$pg" \
      -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$pg_log" 2>&1 </dev/null ||
      { tail_of "$pg_log"; die "initdb failed"; }
    echo "include 'fleet.conf'" >>"$pg/postgresql.conf"
  fi
  cat >"$pg/fleet.conf" <<END
port = $pg_port
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 200
log_line_prefix = '%m [%p] %a '
END
  own postgres "$pg/fleet.conf"
}

start_postgres() {
  local tries pid started
  if postgres_runs; then
    say "postgres runs already, port $pg_port, pid $(pid_in "$pg_pid")"
    return
  fi
  make_cluster
  as postgres
  for started in 1 2 3 4 5; do
    : >"$pg_log"
    "${prefix[@]}" env -i PATH="$pg_bin:/usr/bin:/bin" LANG=C.UTF-8 setsid \
      "$pg_bin/postgres" -D "$pg" >>"$pg_log" 2>&1 </dev/null 9>&- &
    pid=$!
    for ((tries = 0; tries < 600; tries++)); do
      if postgres_runs && postgres_answers; then
        say "postgres is up, port $pg_port, pid $(pid_in "$pg_pid")"
        return
      fi
      kill -0 "$pid" 2>/dev/null || break
      sleep 0.1
    done
    # After a kill -9 the old server stays in the process table until somebody reaps it, and its
    # children may hold its memory a moment longer.
    grep -qE 'still in use|already exists' "$pg_log" || break
    sleep "$started"
  done
  tail_of "$pg_log"
  die "postgres did not start (log: $pg_log)"
}

sql() { "$pg_bin/psql" -h 127.0.0.1 -p "$pg_port" -U postgres -d "$1" -Atqc "$2"; }
postgres_answers() { sql postgres 'select 1' >/dev/null 2>&1; }

make_database() {
  if [ -z "$(sql postgres "select 1 from pg_database where datname = 'fleet'")" ]; then
    sql postgres 'create database fleet'
  fi
}

# Only a private server's: what was given, or stands in a container, is its owner's to empty.
fresh_database() {
  read_ports || die "no servers were started here: servers.sh start"
  if given_database || [ "$kind" != private ]; then return; fi
  pg_bin=$(find_postgres)
  sql postgres 'drop database if exists fleet with (force)'
  make_database
}

# --- RabbitMQ ------------------------------------------------------------------------------------

write_rabbitmq_files() {
  mkdir -p "$mq"/{db,log,gen,definitions}
  [ -s "$mq/.erlang.cookie" ] ||
    (umask 077 && head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n' >"$mq/.erlang.cookie")
  chmod 400 "$mq/.erlang.cookie"
  echo '[rabbitmq_management,rabbitmq_prometheus].' >"$mq/enabled_plugins"
  rm -f "$mq"/definitions/*.json
  # In the order of their names: the fleet's own, then the administrator of this node, which a node
  # that loads definitions does not make by itself.
  cp "$root/deploy/rabbitmq/definitions.json" "$mq/definitions/10-fleet.json"
  cp "$root/deploy/local/rabbitmq-admin.json" "$mq/definitions/90-admin.json"
  chmod 644 "$mq"/definitions/*.json
  {
    grep -v '^load_definitions' "$root/deploy/rabbitmq/rabbitmq.conf"
    sed "s|^load_definitions = .*|load_definitions = $mq/definitions|" "$root/deploy/local/rabbitmq.conf"
    echo "listeners.tcp.1 = 127.0.0.1:$amqp_port"
    echo "management.tcp.ip = 127.0.0.1"
    echo "management.tcp.port = $management_port"
    echo "prometheus.tcp.ip = 127.0.0.1"
    echo "prometheus.tcp.port = $prometheus_port"
  } >"$mq/rabbitmq.conf"
  rabbitmq_environment
  write_ctl
  own rabbitmq "$mq"
}

rabbitmq_environment() {
  mq_env=(env -i PATH=/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 HOME="$mq"
    ERL_EPMD_PORT="$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1
    RABBITMQ_CONF_ENV_FILE="$mq/none.conf" RABBITMQ_NODENAME="$node"
    RABBITMQ_CONFIG_FILE="$mq/rabbitmq.conf" RABBITMQ_MNESIA_BASE="$mq/db"
    RABBITMQ_LOG_BASE="$mq/log" RABBITMQ_PID_FILE="$mq_pid"
    RABBITMQ_ENABLED_PLUGINS_FILE="$mq/enabled_plugins" RABBITMQ_GENERATED_CONFIG_DIR="$mq/gen"
    RABBITMQ_FEATURE_FLAGS_FILE="$mq/feature_flags" RABBITMQ_DIST_PORT="$dist_port"
    RABBITMQ_CTL_DIST_PORT_MIN="$ctl_port_min" RABBITMQ_CTL_DIST_PORT_MAX="$ctl_port_max")
}

# write_ctl: a rabbitmqctl that talks to this node and no other.
write_ctl() {
  as rabbitmq
  {
    echo '#!/usr/bin/env bash'
    printf 'cd /\nexec'
    printf ' %q' "${prefix[@]}" "${mq_env[@]}" "$mq_bin/rabbitmqctl" -n "$node"
    printf ' "$@"\n'
  } >"$data/rabbitmqctl"
  chmod 755 "$data/rabbitmqctl"
}

start_epmd() {
  if epmd_runs; then return; fi
  as rabbitmq
  local epmd
  epmd=$(command -v epmd || find /usr/lib/erlang /usr/local/lib/erlang -name epmd 2>/dev/null | head -n 1)
  # In the foreground and by ourselves: one that the node starts would outlive it, its pid unknown.
  "${prefix[@]}" "${mq_env[@]}" setsid "$epmd" -port "$epmd_port" -address 127.0.0.1 \
    >"$data/log/epmd.log" 2>&1 </dev/null 9>&- &
  echo $! >"$epmd_pid"
}

start_rabbitmq() {
  local pid tries
  if rabbitmq_runs; then
    say "rabbitmq runs already, port $amqp_port, pid $(pid_in "$mq_pid")"
    return
  fi
  rm -f "$mq_pid"
  write_rabbitmq_files
  start_epmd
  as rabbitmq
  : >"$mq_log"
  (cd / && exec "${prefix[@]}" "${mq_env[@]}" \
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS="+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {127,0,0,1}" \
    setsid "$mq_bin/rabbitmq-server") >>"$mq_log" 2>&1 </dev/null 9>&- &
  pid=$!
  for ((tries = 0; tries < 900; tries++)); do
    if grep -q 'completed with' "$mq_log" && rabbitmq_runs && port_taken "$amqp_port"; then
      say "rabbitmq is up, port $amqp_port, pid $(pid_in "$mq_pid")"
      return
    fi
    kill -0 "$pid" 2>/dev/null || break
    sleep 0.1
  done
  tail_of "$mq_log" 40
  end "$mq_pid" "-home $mq " TERM 10
  end "$epmd_pid" "epmd -port" TERM 5
  die "rabbitmq did not start (log: $mq_log)"
}

# --- Docker Compose ------------------------------------------------------------------------------

compose() {
  FLEET_POSTGRES_PORT=$pg_port FLEET_AMQP_PORT=$amqp_port FLEET_MANAGEMENT_PORT=$management_port \
    FLEET_PROMETHEUS_PORT=$prometheus_port \
    docker compose -p "$compose_project" -f "$root/deploy/compose.yaml" "$@"
}
compose_runs() { [ "${kind:-}" = compose ] && [ -n "$(compose ps -q --status running 2>/dev/null)" ]; }

start_compose() {
  local services=()
  given_database || services+=(postgres)
  given_broker || services+=(rabbitmq)
  [ -z "$only" ] || services=("$only")
  [ ${#services[@]} -gt 0 ] || return 0
  compose up --detach --wait --wait-timeout 180 "${services[@]}" || {
    compose logs --tail 40 "${services[@]}" >&2
    die "docker compose did not bring the servers up"
  }
  {
    echo '#!/usr/bin/env bash'
    printf 'exec docker compose -p %q -f %q exec -T rabbitmq rabbitmqctl "$@"\n' \
      "$compose_project" "$root/deploy/compose.yaml"
  } >"$data/rabbitmqctl"
  chmod 755 "$data/rabbitmqctl"
  say "docker compose: ${services[*]} up (project $compose_project)"
}

# --- commands ------------------------------------------------------------------------------------

# choose_kind: private servers where the programs are installed, else an engine that answers.
choose_kind() {
  pg_bin=$(find_postgres || true) mq_bin=$(find_rabbitmq || true)
  if [ "${SERVERS:-}" = compose ]; then
    compose_answers || die "SERVERS=compose, but no Docker engine with the compose plugin answers"
    kind=compose
  elif { given_database || [ -n "$pg_bin" ]; } && { given_broker || [ -n "$mq_bin" ]; }; then
    kind=private
  elif compose_answers; then
    kind=compose
  else
    die "PostgreSQL $postgres_version_min or RabbitMQ is not installed: run deploy/local/install.sh"
  fi
}

start() {
  if given_database; then say "postgres: the one of FLEET__DATABASE__URL is used"; fi
  if given_broker; then say "rabbitmq: the one of FLEET__BROKER__URL is used"; fi
  mkdir -p "$data/log"
  # For tests that kill a server and start it again.
  printf '#!/usr/bin/env bash\nexec %q --dir %q "$@"\n' "$root/deploy/local/servers.sh" "$dir" \
    >"$data/servers.sh"
  chmod 755 "$data/servers.sh"
  choose_kind
  # One checkout at a time looks for free ports and binds them. The servers must not inherit the
  # lock (9>&- above). Without flock, or when the file is another user's, there is just no queueing.
  if command -v flock >/dev/null && { exec 9>>/tmp/purchase-fleet-ports.lock; } 2>/dev/null; then
    flock -w 120 9 || true
  fi
  choose_ports "$kind"
  if [ "$kind" = compose ]; then
    start_compose
    return
  fi
  if wants postgres && ! given_database; then
    start_postgres
    make_database
  fi
  if wants rabbitmq && ! given_broker; then start_rabbitmq; fi
}

stop() {
  if ! read_ports; then
    say "no servers were started here"
    return
  fi
  if [ "$kind" = compose ]; then
    if [ -n "$only" ]; then compose stop "$only"; else compose down; fi
    return
  fi
  if wants rabbitmq; then
    if rabbitmq_runs; then say "stopping rabbitmq, pid $(pid_in "$mq_pid")"; fi
    end "$mq_pid" "-home $mq " TERM 60
    end "$epmd_pid" "epmd -port" TERM 5
  fi
  if wants postgres && postgres_runs; then
    say "stopping postgres, pid $(pid_in "$pg_pid")"
    # INT: ends sessions at once, in order. The server removes its pid file itself.
    end "$pg_pid" "$pg" INT 60
  fi
}

status() {
  local missing=0
  if ! read_ports; then
    say "servers: never started"
    return 3
  fi
  if [ "$kind" = compose ]; then
    compose ps
    compose_runs || return 3
    return
  fi
  if given_database; then say "postgres: the one of FLEET__DATABASE__URL"
  elif postgres_runs; then say "postgres runs, port $pg_port, pid $(pid_in "$pg_pid"), log $pg_log"
  else say "postgres is stopped" && missing=3; fi
  if given_broker; then say "rabbitmq: the one of FLEET__BROKER__URL"
  elif rabbitmq_runs; then say "rabbitmq runs, port $amqp_port, management http://127.0.0.1:$management_port (guest/guest), pid $(pid_in "$mq_pid"), log $mq_log"
  else say "rabbitmq is stopped" && missing=3; fi
  return $missing
}

# print_env: what was given from outside is passed on as it is.
print_env() {
  read_ports || die "no servers were started here: servers.sh start"
  print_export FLEET_LOCAL_URLS "$own_database $own_broker"
  print_export FLEET__DATABASE__URL "${FLEET__DATABASE__URL:-$own_database}"
  print_export FLEET__BROKER__URL "${FLEET__BROKER__URL:-$own_broker}"
  if given_database; then
    print_export FLEET_TEST_DATABASE_URL "$FLEET__DATABASE__URL"
  else
    print_export FLEET_TEST_DATABASE_URL "postgres://postgres@127.0.0.1:$pg_port/postgres"
  fi
  if given_broker; then
    print_export FLEET_TEST_BROKER_URL "$FLEET__BROKER__URL"
  else
    print_export FLEET_TEST_BROKER_URL "amqp://guest:guest@127.0.0.1:$amqp_port"
    # Of a broker that was given, its owner knows where the management API stands.
    print_export FLEET_TEST_BROKER_ADMIN_URL "http://guest:guest@127.0.0.1:$management_port"
    print_export FLEET_TEST_RABBITMQCTL "$data/rabbitmqctl"
  fi
  # For tests that kill a server and start it again.
  if [ "$kind" = private ]; then
    given_broker || print_export FLEET_TEST_RABBITMQ_PID_FILE "$mq_pid"
    given_database || print_export FLEET_TEST_PG_DIR "$pg"
    given_database || print_export FLEET_TEST_PG_PID_FILE "$pg_pid"
  fi
  print_export FLEET_TEST_SERVERS "$data/servers.sh"
}
print_export() { printf 'export %s=%q\n' "$1" "$2"; }

clean() {
  stop
  if [ -r "$ports_file" ] && [ "${kind:-}" = compose ]; then compose down --volumes; fi
  rm -rf "$pg" "$mq" "$data/log/postgres.log" "$data/log/rabbitmq.log" "$data/log/epmd.log" \
    "$data/rabbitmqctl" "$data/servers.sh" "$ports_file"
  if [ "$data" != "$dir" ]; then rm -rf "$data" "$dir/servers"; fi
}

case $command in
  start) start ;;
  stop) stop ;;
  status) status ;;
  env) print_env ;;
  clean) clean ;;
  fresh) fresh_database ;;
esac
