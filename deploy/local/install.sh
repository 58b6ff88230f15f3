#!/usr/bin/env bash
# Installs what this checkout needs and the machine lacks, and leaves no system service running.
#
#   install.sh            a C compiler (for the linker), PostgreSQL >= 15, RabbitMQ >= 3.10; for tests
#                         Python, Node and curl, with what tests/foreign names in a folder of the cache
#   install.sh --servers  without what only tests need
#   install.sh --check    only say what is missing; exit 3 when something is
#   install.sh --print    the commands that would be run, and run none
#
# Works with apt-get, as root or with a sudo that asks for nothing. Otherwise it says what to install
# and exits 3. Servers that were installed before are left as they are. A server that is named by
# FLEET__DATABASE__URL or FLEET__BROKER__URL, or run by Docker Compose, need not be installed.
set -euo pipefail
# shellcheck source=deploy/local/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"
# shellcheck source=deploy/local/foreign.sh
. "$root/deploy/local/foreign.sh"

policy=/usr/sbin/policy-rc.d
policy_saved=$policy.before-purchase-fleet
policy_mark='# purchase-fleet: nothing is started while its packages are installed'
cluster_conf=/etc/postgresql-common/createcluster.d/purchase-fleet.conf

mode=install for_tests=yes
for argument; do
  case $argument in
    --check) mode=check ;;
    --print) mode=print ;;
    --servers) for_tests=no ;;
    *) die "install.sh: what is $argument?" ;;
  esac
done

# --- what is missing -----------------------------------------------------------------------------

# at_least VERSION MINIMUM: both as major.minor.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1)" = "$2" ]; }

postgres_version() {
  local program
  for program in "${PG_BIN:-/none}/postgres" /usr/lib/postgresql/*/bin/postgres "$(command -v postgres || true)"; do
    if [ -x "$program" ]; then "$program" --version | grep -oE '[0-9]+(\.[0-9]+)?' | head -n 1; fi
  done | sort -V | tail -n 1
}

# rabbitmq_version: from its folder's or package's name; asking the program starts an Erlang machine.
rabbitmq_version() {
  {
    printf '%s\n' /usr/lib/rabbitmq/lib/rabbitmq_server-* | sed -n 's/.*rabbitmq_server-//p' | grep -E '^[0-9]' ||
      { command -v rabbitmq-server >/dev/null && rabbitmqctl version 2>/dev/null; } || true
  } | sort -V | tail -n 1
}

packages=() missing=()
need() { packages+=("$1") && missing+=("$2"); }

look() {
  local found
  packages=() missing=()
  if ! command -v cc >/dev/null; then
    need gcc "a C compiler (cc), which Rust links with"
    need libc6-dev "the C library's headers"
  fi
  if [ "$for_tests" = yes ]; then need_for_foreign; fi
  if [ "${SERVERS:-}" = compose ]; then return; fi
  if [ -z "${FLEET__DATABASE__URL:-}" ]; then
    found=$(postgres_version)
    { [ -n "$found" ] && at_least "$found" 15; } ||
      need postgresql "PostgreSQL 15 or newer, the server${found:+ (found $found)}"
  fi
  if [ -z "${FLEET__BROKER__URL:-}" ]; then
    found=$(rabbitmq_version)
    { [ -n "$found" ] && at_least "$found" 3.10; } ||
      need rabbitmq-server "RabbitMQ 3.10 or newer${found:+ (found $found)}"
  fi
}

say_missing() {
  local thing
  warn "Missing on this machine:"
  for thing in "${missing[@]}"; do warn "  - $thing"; done
  warn "On Debian or Ubuntu:  sudo apt-get install --no-install-recommends ${packages[*]}"
  case " ${packages[*]} " in *" postgresql "* | *" rabbitmq-server "*)
    warn "Or name servers that exist in FLEET__DATABASE__URL and FLEET__BROKER__URL,"
    warn "or start a Docker engine with the compose plugin and say SERVERS=compose."
    ;;
  esac
}

# --- installing ----------------------------------------------------------------------------------

# run COMMAND...: as root.
run() {
  if [ "$mode" = print ]; then say "${super[*]:+${super[*]} }$*"; else "${super[@]}" "$@"; fi
}
# write FILE MODE, content from standard input.
write() {
  if [ "$mode" = print ]; then
    say "# write $1:" && sed 's/^/#   /'
  else
    "${super[@]}" tee "$1" >/dev/null && "${super[@]}" chmod "$2" "$1"
  fi
}

services() {
  [ -d /run/systemd/system ] || return 0
  systemctl list-unit-files --no-legend --type=service,socket 'postgresql*' 'rabbitmq*' 'epmd*' 2>/dev/null |
    awk '{print $1}' | sort
}

# forbid_starting: Debian starts what it installs, unless this program says no. One that was there
# comes back exactly as it was.
forbid_starting() {
  allow_starting # what a run that was killed may have left
  if [ -e "$policy" ]; then run mv "$policy" "$policy_saved"; fi
  printf '#!/bin/sh\n%s\nexit 101\n' "$policy_mark" | write "$policy" 755
  # No cluster main is made for the whole machine; ours lives in the checkout.
  made_folder=no
  if [ ! -d "${cluster_conf%/*}" ]; then
    made_folder=yes
    run mkdir -p "${cluster_conf%/*}"
  fi
  echo 'create_main_cluster = false' | write "$cluster_conf" 644
}

allow_starting() {
  if [ -e "$policy" ] && grep -qF "$policy_mark" "$policy"; then run rm -f "$policy"; fi
  if [ -e "$policy_saved" ]; then run mv "$policy_saved" "$policy"; fi
  if [ -e "$cluster_conf" ]; then run rm -f "$cluster_conf"; fi
  if [ "${made_folder:-no}" = yes ]; then run rmdir --ignore-fail-on-non-empty "${cluster_conf%/*}" || true; fi
}

install() {
  local before unit
  title "Installing ${packages[*]} (starting no service)"
  before=$(services)
  if [ "$mode" = install ]; then trap allow_starting EXIT; fi
  forbid_starting
  run apt-get update -q
  run env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "${packages[@]}"
  allow_starting
  trap - EXIT
  # Only units that were not there before.
  for unit in $(comm -13 <(printf '%s\n' "$before") <(services)); do
    case $unit in *@.*) continue ;; esac
    run systemctl disable --now "$unit" || warn "could not disable $unit"
  done
}

# finish: what needs no root.
finish() {
  if [ "$for_tests" = yes ] && ! foreign_ready; then make_foreign || exit 3; fi
  exit 0
}

look
if [ "$mode" = check ]; then
  if [ ${#missing[@]} -gt 0 ]; then
    say_missing
    exit 3
  fi
  if [ "$for_tests" = yes ] && ! foreign_ready; then
    warn "What tests/foreign names is not installed: run deploy/local/install.sh"
    exit 3
  fi
fi
if [ ${#missing[@]} = 0 ]; then
  say "Nothing is missing: PostgreSQL, RabbitMQ and a linker are there, or named in the settings."
  [ "$mode" = check ] || finish
  exit 0
fi
super=()
if ! is_root; then
  if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    super=(sudo -n)
  elif [ "$mode" = install ]; then
    say_missing
    exit 3
  fi
fi
if ! command -v apt-get >/dev/null; then
  say_missing
  exit 3
fi
if [ "$mode" = print ]; then
  install
  finish
fi
# Two checkouts at once: the second waits, and then finds everything there.
if is_root && command -v flock >/dev/null; then
  exec 9>/run/lock/purchase-fleet-install.lock
  flock -w 900 9 || die "another installation does not end"
  look
  [ ${#missing[@]} -gt 0 ] || finish
fi
wanted=${packages[*]}
install 9>&-
look
if [ ${#missing[@]} -gt 0 ]; then
  say_missing
  exit 3
fi
good "Installed: $wanted"
finish
