# shellcheck shell=bash
# Python and Node with what tests/foreign names. Sourced by install.sh, after lib.sh.

# foreign_dir: a folder outside the checkout, so that the next clone needs no network. Its name
# follows from the files that say what is in it.
foreign_dir() {
  local name
  name=$(cat "$root"/tests/foreign/{requirements.txt,package.json} | sha256sum | cut -c1-12)
  printf '%s\n' "${XDG_CACHE_HOME:-$HOME/.cache}/purchase-fleet/foreign/$name"
}

foreign_ready() { [ -e "$(foreign_dir)/ready" ]; }

# need_for_foreign: the packages that it takes.
need_for_foreign() {
  if ! python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    need python3-venv "Python 3.10 or newer with venv, for tests"
  fi
  if ! node -e 'process.exit(parseInt(process.versions.node) < 18 ? 1 : 0)' 2>/dev/null; then
    need nodejs "Node 18 or newer, for tests"
  fi
  if ! command -v npm >/dev/null; then need npm "npm, for tests"; fi
  if ! command -v curl >/dev/null; then need curl "curl, for tests"; fi
}

# make_foreign: whole or not at all; two at once take turns.
make_foreign() {
  local dir
  dir=$(foreign_dir)
  if [ "$mode" = print ]; then
    say "# in $dir:"
    say "python3 -m venv venv && venv/bin/pip install --requirement tests/foreign/requirements.txt"
    say "npm install --no-package-lock --ignore-scripts   # of tests/foreign/package.json"
    return
  fi
  mkdir -p "$dir"
  if command -v flock >/dev/null; then
    exec 8>"$dir/lock"
    flock -w 900 8 || die "another installation does not end"
  fi
  if foreign_ready; then return; fi
  title "Installing what tests/foreign names into $dir"
  cp "$root/tests/foreign/package.json" "$dir/"
  if ! {
    python3 -m venv --clear "$dir/venv" &&
      "$dir/venv/bin/pip" install --quiet --disable-pip-version-check \
        --requirement "$root/tests/foreign/requirements.txt" &&
      npm --prefix "$dir" install --no-package-lock --ignore-scripts --no-audit --no-fund --loglevel=error
  } 8>&- >&2; then
    warn "That did not work: the registries of pip and npm are needed once."
    return 3
  fi
  touch "$dir/ready"
}
