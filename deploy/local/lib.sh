# shellcheck shell=bash
# What the scripts of this folder share. Sourced, never run. Sets `root`, the checkout's folder.
# shellcheck disable=SC2034 # what is set here is used where it is sourced

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)

if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then
  bold=$'\e[1m' green=$'\e[32m' red=$'\e[31m' dim=$'\e[2m' plain=$'\e[0m'
else
  bold='' green='' red='' dim='' plain=''
fi

say() { printf '%s\n' "$*"; }
title() { printf '%s%s%s\n' "$bold" "$*" "$plain"; }
good() { printf '%s%s%s\n' "$green" "$*" "$plain"; }
warn() { printf '%s%s%s\n' "$red" "$*" "$plain" >&2; }
die() {
  warn "$@"
  exit 1
}

# Addresses that `servers.sh env` printed name our own servers, not somebody else's.
case " ${FLEET_LOCAL_URLS:-} " in *" ${FLEET__DATABASE__URL:-none} "*) unset FLEET__DATABASE__URL ;; esac
case " ${FLEET_LOCAL_URLS:-} " in *" ${FLEET__BROKER__URL:-none} "*) unset FLEET__BROKER__URL ;; esac

is_root() { [ "$(id -u)" = 0 ]; }

# absolute PATH: the same path, absolute; it need not exist.
absolute() { case $1 in /*) printf '%s\n' "$1" ;; *) printf '%s\n' "$PWD/$1" ;; esac; }

# port_taken PORT: something listens there on the loopback.
port_taken() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# command_line PID: the process's command line, empty when there is none.
command_line() {
  if [ -d /proc/self ]; then
    { tr '\0' ' ' <"/proc/$1/cmdline"; } 2>/dev/null || true
  else
    ps -o args= -p "$1" 2>/dev/null || true
  fi
}

# pid_in FILE: the number in its first line, if there is one.
pid_in() {
  local pid=''
  [ ! -r "$1" ] || read -r pid _ <"$1" || true
  case $pid in '' | *[!0-9]*) return 1 ;; esac
  printf '%s\n' "$pid"
}

# is PID WORD: that process lives, and WORD in its command line says that it is ours. A pid alone
# proves nothing: after a reboot it may belong to anybody.
is() { case $(command_line "$1") in *"$2"*) return 0 ;; *) return 1 ;; esac }

# alive FILE WORD: the process of that pid file lives and is ours.
alive() {
  local pid
  pid=$(pid_in "$1") && is "$pid" "$2"
}

# end FILE WORD SIGNAL SECONDS: signals the process of that pid file if it is ours, and waits; after
# SECONDS it is killed. The pid file goes (some servers remove it themselves, before they are gone).
end() {
  local pid tries
  if alive "$1" "$2"; then
    pid=$(pid_in "$1")
    kill "-$3" "$pid" 2>/dev/null || true
    tries=$(($4 * 10))
    while is "$pid" "$2" && [ "$tries" -gt 0 ]; do
      sleep 0.1
      tries=$((tries - 1))
    done
    if is "$pid" "$2"; then
      warn "process $pid did not end within $4 s: killed"
      kill -KILL "$pid" 2>/dev/null || true
    fi
  fi
  rm -f "$1"
}

# tail_of FILE [LINES]: the end of a log, set in.
tail_of() {
  [ -s "$1" ] || return 0
  tail -n "${2:-25}" "$1" | sed 's/^/    /' >&2
}

# http_ok PORT PATH: an HTTP GET there answers 200 within two seconds.
http_ok() {
  # shellcheck disable=SC2016 # expanded by the inner shell
  timeout 2 bash -c '
    exec 3<>"/dev/tcp/127.0.0.1/$1" || exit 1
    printf "GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" "$2" >&3
    read -r _ status _ <&3 && cat <&3 >/dev/null && [ "$status" = 200 ]' _ "$1" "$2" 2>/dev/null
}
