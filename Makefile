# Everything that is done with this repository. `make help` lists it.
PY := .venv/bin/python
.DEFAULT_GOAL := help
.PHONY: help setup run test check fmt lock up down console native native-clean bench setup-dev

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' Makefile

setup: ## make .venv with the locked dependencies (run and test do it by themselves)
	@sh deploy/bin/setup.sh runtime

setup-dev:
	@sh deploy/bin/setup.sh dev

console: setup ## build the console for browsers, when its sources have changed (run, up and test do it by themselves)
	@$(PY) -m deploy.console build

native: setup ## compile the hot modules, when their sources have changed (run, up, test and bench do it by themselves)
	@$(PY) -m deploy.native build

native-clean: setup ## go back to the sources as they are, while working on the hot modules
	@$(PY) -m deploy.native clean

run: setup native ## bring the platform up in the foreground; Ctrl-C stops all of it
	@$(PY) -m deploy.console build || echo "console: the platform starts without it; the API works"
	@exec $(PY) -m deploy.local

test: setup-dev console ## lint, types, import contracts and every test, against real components
	@$(MAKE) --no-print-directory --jobs=2 native check
	@$(PY) -m deploy.components docker redis busybox debootstrap compose curl slowhttptest git sshd nft ip chromium nginx systemd -- \
	  $(PY) -m tests.side_by_side

check: setup-dev ## lint, types and import contracts
	@$(PY) -m ruff format --check --quiet . && $(PY) -m ruff check --quiet . && echo "lint: clean"
	@$(PY) -m mypy
	@.venv/bin/lint-imports --no-logo
	@$(PY) -m deploy.console check

INTO ?= data/bench
bench: setup-dev native ## measure the gateway beside its peers, what its cost depends on, and where its time goes (5 minutes)
	@$(PY) -m pip install --quiet --disable-pip-version-check --no-input --require-hashes -r requirements-bench.lock
	@$(PY) -m deploy.components redis nginx nginx-lua nginx-redis lua-cjson haproxy wrk -- \
	  sh -c 'for part in peers costs where_time_goes; do $(PY) -m tests.bench.$$part --into $(INTO) || exit; done'

fmt: setup-dev console ## format, and fix what can be fixed
	@$(PY) -m ruff format . && $(PY) -m ruff check --fix .
	@cd hoster/web && npm run --silent fmt

lock: setup-dev ## compile requirements*.in into the lock files, for every Python and platform at once
	@for name in requirements requirements-native requirements-dev requirements-bench; do \
	  .venv/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url \
	    --output-file $$name.lock $$name.in; done
	@$(PY) -m deploy.console lock

up: console native ## build the images and start gateway, hoster, worker and Redis as containers
	@exec $(PY) -m deploy.containers up

down: setup ## stop and remove the containers; data stays in their volumes
	@exec $(PY) -m deploy.containers down
