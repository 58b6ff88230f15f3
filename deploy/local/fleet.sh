# shellcheck shell=bash
# The fleet's programs as processes of this checkout. Sourced by run.sh, stop.sh and status.sh.
# shellcheck disable=SC2034 # what is set here is used where it is sourced
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

local_dir=$root/.local
run_dir=$local_dir/run
log_dir=$local_dir/log
servers() { "$root/deploy/local/servers.sh" --dir "$local_dir" "$@"; }

# instances: the name of every program that has a pid file, gateway first, simulator last: in this
# order they are stopped, so that nothing new comes in and nobody is called who is gone.
instances() {
  local file name names=()
  for file in "$run_dir"/*.pid; do
    [ -e "$file" ] || continue
    name=${file##*/}
    names+=("${name%.pid}")
  done
  for name in ${names[@]+"${names[@]}"}; do
    case $name in gateway) echo "0 $name" ;; simulator) echo "2 $name" ;; *) echo "1 $name" ;; esac
  done | sort | cut -d' ' -f2
}

# The pid file's second line is the program's path: what the process must be running to be ours.
instance_program() { sed -n 2p "$run_dir/$1.pid" 2>/dev/null; }
instance_port() { sed -n 3p "$run_dir/$1.pid" 2>/dev/null; }
instance_runs() {
  local program
  program=$(instance_program "$1")
  [ -n "$program" ] && alive "$run_dir/$1.pid" "$program"
}

# start_instance NAME PORT PROGRAM ARGUMENTS...: in the background, in a session of its own, so that
# a Ctrl-C at the terminal does not reach it. PORT is where it answers /ready or /live.
start_instance() {
  local name=$1 port=$2 program=$3
  shift 2
  if port_taken "$port"; then die "port $port, for $name, is taken by another process"; fi
  setsid "$@" >"$log_dir/$name.log" 2>&1 </dev/null &
  printf '%s\n%s\n%s\n' "$!" "$program" "$port" >"$run_dir/$name.pid"
}

# stop_fleet: all at once get SIGTERM and drain; what is left after its grace time is killed. The
# second round only waits: CONT does nothing, but to one that stands still.
stop_fleet() {
  local name count=0
  for name in $(instances); do
    if instance_runs "$name"; then
      kill -TERM "$(pid_in "$run_dir/$name.pid")" 2>/dev/null || true
      count=$((count + 1))
    fi
  done
  for name in $(instances); do
    end "$run_dir/$name.pid" "$(instance_program "$name")" CONT 60
  done
  [ $count = 0 ] || say "stopped $count programs of the fleet"
}
