#!/bin/sh
# Makes .venv with the locked dependencies. usage: setup.sh runtime|dev
# Runs before any Python of ours can: it is what finds the interpreter.
set -eu
kind=$1
venv=.venv

fail() { echo "setup: $*" >&2; exit 1; }

find_python() {
  for name in ${PYTHON:-} python3.13 python3.12 python3.11 python3; do
    if command -v "$name" >/dev/null 2>&1 && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      echo "$name"
      return
    fi
  done
  fail "Python 3.11 or newer is needed; found $(python3 --version 2>/dev/null || echo none). Install it, or name one: make PYTHON=/path/to/python3"
}

locks="requirements.lock"
[ "$kind" = dev ] && locks="requirements.lock requirements-dev.lock"
state="$kind $(cat $locks | cksum)"
# Development needs include the runtime's: either state will do for running.
if [ -x "$venv/bin/python" ] && grep -qxF "$state" "$venv/.installed" 2>/dev/null; then
  exit 0
fi

if [ ! -x "$venv/bin/python" ]; then
  python=$(find_python)
  if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
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
if [ "$kind" = dev ]; then echo "runtime $(cat requirements.lock | cksum)" >>"$venv/.installed"; fi
