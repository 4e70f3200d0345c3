#!/bin/sh
# Makes .venv with the locked dependencies. usage: setup.sh runtime|dev
# Runs before any Python of ours can: it is what finds the interpreter.
set -eu
kind=$1
venv=.venv

fail() { echo "setup: $*" >&2; exit 1; }

is_new_enough() { command -v "$1" >/dev/null 2>&1 && "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

has_venv() { "$1" -c 'import ensurepip, venv' 2>/dev/null; }

# The distribution's own first: it is built with profile-guided optimisation, which many version managers leave out (a fifth of the speed).
find_python() {
  if [ -n "${PYTHON:-}" ]; then
    is_new_enough "$PYTHON" || fail "PYTHON=$PYTHON is not Python 3.11 or newer"
    echo "$PYTHON"
    return
  fi
  first=""
  for name in /usr/bin/python3 python3.13 python3.12 python3.11 python3; do
    if is_new_enough "$name"; then
      if has_venv "$name"; then echo "$name"; return; fi
      [ -n "$first" ] || first=$name
    fi
  done
  [ -n "$first" ] || fail "Python 3.11 or newer is needed; found $(python3 --version 2>/dev/null || echo none). Install it, or name one: make PYTHON=/path/to/python3"
  echo "$first"
}

locks="requirements.lock requirements-native.lock"
[ "$kind" = dev ] && locks="$locks requirements-dev.lock"
state="$kind $(cat $locks | cksum)"
# Development needs include the runtime's: either state will do for running.
if [ -x "$venv/bin/python" ] && grep -qxF "$state" "$venv/.installed" 2>/dev/null; then
  exit 0
fi

if [ ! -x "$venv/bin/python" ]; then
  python=$(find_python)
  if ! has_venv "$python"; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
      echo "setup: installing python3-venv"
      apt-get update -qq >/dev/null 2>&1 || true
      DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends python3-venv >/dev/null 2>&1 \
        || fail "could not install python3-venv; install it and try again"
    else
      fail "the venv module is missing; install the package python3-venv and try again"
    fi
  fi
  "$python" -m venv "$venv" || fail "could not create $venv"
fi

echo "setup: installing locked dependencies into $venv (about a minute the first time)"
arguments=""
for lock in $locks; do arguments="$arguments -r $lock"; done
# shellcheck disable=SC2086 # one word per argument is meant
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --require-hashes $arguments >"$venv/pip.log" 2>&1 \
  || { tail -n 5 "$venv/pip.log" >&2; fail "pip could not install the locked dependencies (all of it: $venv/pip.log)"; }
touch "$venv/.installed"
grep -qxF "$state" "$venv/.installed" || echo "$state" >>"$venv/.installed"
if [ "$kind" = dev ]; then echo "runtime $(cat requirements.lock requirements-native.lock | cksum)" >>"$venv/.installed"; fi
