# Needs Python 3.11 with venv and pip, make and git; everything else it brings.
SHELL := /bin/bash
.DELETE_ON_ERROR:
PYTHON ?= python3.11
BIN := .venv/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)
# `make run` must not install into, or read, an environment active around it.
unexport VIRTUAL_ENV PYTHONPATH

.PHONY: help
help: ## List what can be done
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 14

.PHONY: setup
setup: .venv/.installed ## Make .venv with the locked versions of everything

# pip installs uv alone; uv installs the rest, checking every hash. All of it is compiled here:
# where Python is told to write no bytecode, each process of the tests would do that again.
.venv/.installed: requirements.lock sdk/pyproject.toml server/pyproject.toml package.json
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep -oE '^uv==[0-9.]+' requirements.lock)"
	uv pip sync --quiet --compile-bytecode --python $(BIN)/python --require-hashes requirements.lock
	uv pip install --quiet --python $(BIN)/python --no-deps -e ./sdk -e ./server
	$(BIN)/python -m compileall -q sdk/src server/src
	npm install --silent --no-package-lock --no-audit --no-fund
	@touch $@

.PHONY: lock
lock: ## Renew the locked versions (requirements.lock)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-annotate \
	  --no-emit-package stardag --no-emit-package stardag-server \
	  --upgrade requirements.in --group pyproject.toml:dev --output-file requirements.lock

.PHONY: gen
gen: setup ## Generate the Python stubs from proto/
	scripts/generate

.PHONY: baseline
baseline: setup ## Make today's contract the one that must not be broken
	buf build proto --exclude-source-info --output proto/baseline.binpb

.PHONY: migration
migration: setup ## Write a migration from the tables (m="what changes")
	scripts/new-migration "$(m)"

.PHONY: lint
lint: setup ## Check style, types, imports, the contract and generated code
	ruff check .
	ruff format --check .
	pyright
	lint-imports
	buf lint proto
	buf breaking proto --against proto/baseline.binpb
	scripts/check-generated
	node_modules/.bin/prettier --check --log-level warn .

.PHONY: format
format: setup ## Rewrite files in the house style
	ruff check --fix .
	ruff format .
	node_modules/.bin/prettier --write --log-level warn .

.PHONY: test
test: setup ## Run the tests, on SQLite and on PostgreSQL
	pytest -m "not slow" -n auto --dist loadfile --no-loadscope-reorder

.PHONY: test-all
test-all: setup ## Run the tests, the slow ones too
	pytest -n auto --dist loadfile --no-loadscope-reorder

.PHONY: clients
clients: setup ## Run the clients in other languages, and compare what they store
	pytest --verbose tests/test_clients.py

.PHONY: bench
bench: setup ## Run the benchmarks and render docs/benchmarks.md
	python benchmarks/run_all.py

.PHONY: rivals
rivals: setup ## Measure other systems beside Stardag and render docs/rivals.md
	python benchmarks/rivals/run.py

.PHONY: changelog
changelog: setup ## Show what the next release's changelog would say
	towncrier build --draft

.PHONY: run
run: setup ## Start a server, build the example, show its history
	python examples/run.py

.PHONY: stop
stop: ## Stop the server that `make run` started
	@test -x $(BIN)/python && python examples/run.py --stop || true

.PHONY: clean
clean: stop ## Remove .venv, .run and caches
	rm -rf .venv .run node_modules .pytest_cache .ruff_cache .hypothesis
	rm -rf clients/*/gen clients/*/node_modules clients/*/target clients/go/bin
