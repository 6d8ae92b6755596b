# Everything a newcomer needs; each target installs what it uses. Python >= 3.11, Node 20, make and git are assumed.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

SECONDS_EACH ?= 60
PYTHON ?= $(shell command -v python3.11 || command -v python3)
UV_VERSION := 0.13.9
ANVIL_VERSION := 1.7.1
BIN := .venv/bin
PYTEST := $(BIN)/python -m pytest
PLATFORM := $(shell uname -s | tr 'A-Z' 'a-z')-$(subst x86_64,amd64,$(subst aarch64,arm64,$(shell uname -m)))
SOURCES := proofs chains relayer tests

.PHONY: help install demo test check bench fuzz clean

help:
	@echo "make demo      three local chains, one margin view, one signed root, one flag (SERVE=1 keeps it running)"
	@echo "make test      all tests, real nodes included"
	@echo "make check     lint, types, import rules"
	@echo "make bench     measurements, reported and never gating (BENCH=\"proofs --json\" for some of them)"
	@echo "make fuzz      hostile input for every decoder, random tries against two peers (SECONDS_EACH=60)"
	@echo "make install   .venv and the local node only"
	@echo "make clean     remove everything that make made"

install: .stamps/python .stamps/anvil

.stamps/python: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@mkdir -p .stamps
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	VIRTUAL_ENV=.venv $(BIN)/uv pip sync --quiet --require-hashes requirements.lock
	VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --editable .
	@touch $@

# The lock file pins the node by hash where it is served for this platform; elsewhere the version alone is pinned.
.stamps/anvil: chains/devnet/package.json chains/devnet/package-lock.json
	@mkdir -p .stamps .tools
	cp chains/devnet/package.json chains/devnet/package-lock.json chains/devnet/.npmrc .tools/
	@if [ "$(PLATFORM)" = linux-amd64 ]; then npm ci --silent --ignore-scripts --prefix .tools; \
	else npm install --silent --no-save --no-package-lock --ignore-scripts --prefix .tools @foundry-rs/anvil-$(PLATFORM)@$(ANVIL_VERSION); fi
	@touch $@

.stamps/contracts: proofs/contracts/package.json proofs/contracts/package-lock.json
	@mkdir -p .stamps
	npm ci --silent --ignore-scripts --prefix proofs/contracts
	@touch $@

# Contracts that others published, which some rule sets are compared with; compiled here, never committed or shipped.
.stamps/published: $(wildcard tests/differential/*/package-lock.json tests/differential/*/build.mjs)
	@mkdir -p .stamps
	@for folder in tests/differential/aave tests/differential/morpho; do \
		npm ci --silent --ignore-scripts --prefix $$folder && npm run --silent --prefix $$folder build || exit 1; done
	@touch $@

demo: install
	@exec $(BIN)/relayer demo $(if $(SERVE),--serve)

test: install .stamps/contracts .stamps/published
	$(PYTEST) -m "not system" -n 2 --dist loadfile

check: install
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

# QuantLib is pinned by the hash of one wheel; where that does not fit, its race is left out and the report says so.
.stamps/peers: tests/bench/package.json tests/bench/package-lock.json tests/bench/requirements.txt
	@mkdir -p .stamps .tools
	npm ci --silent --ignore-scripts --prefix tests/bench
	@VIRTUAL_ENV=.venv $(BIN)/uv pip install --quiet --no-deps --require-hashes --target .tools/quantlib -r tests/bench/requirements.txt \
		|| echo "QuantLib cannot be installed here: its race is left out" >&2
	@touch $@

bench: install .stamps/peers
	$(BIN)/python -m tests.bench $(BENCH)

# Bounded: so many seconds for each decoder, then random tries against both peers.
fuzz: install .stamps/peers
	$(BIN)/python -m tests.fuzz --seconds $(SECONDS_EACH)
	$(BIN)/python -m tests.fuzz.against_peers --seconds $(SECONDS_EACH)

clean:
	rm -rf .venv .tools .stamps .demo .fuzz .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info proofs/contracts/node_modules tests/bench/node_modules tests/differential/*/node_modules tests/differential/*/build
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
