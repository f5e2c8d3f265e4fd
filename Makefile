# Ketnoi: every verb of the house. `make` alone prints this help.
.DEFAULT_GOAL := help
SHELL := /bin/bash
export PYTHONSAFEPATH := 1
export PYTHONDONTWRITEBYTECODE :=

VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= python3
MEMBERS := shared svc-demand svc-supply svc-matching svc-reporting gateway deploy
PACKAGES := shared svc_demand svc_supply svc_matching svc_reporting gateway ketnoi
READY := $(VENV)/.ready
KERNELS := $(VENV)/.kernels
SECONDS_LONG ?= 1800
SPLIT ?= dev

.PHONY: help setup run demo test test-embeddings check fmt lint types arch bench bench-matching bench-freshness quality diagnosis soak contracts lock clean

help: ## Show this help
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-15s %s\n", $$1, $$2}'

$(READY): requirements.lock pyproject.toml $(MEMBERS:%=%/pyproject.toml)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Ketnoi needs Python 3.11 or newer; '$(PYTHON)' is older. Try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV) || \
	  { echo "Could not make $(VENV): is the venv module of $(PYTHON) installed, and may this folder be written?" >&2; exit 1; }
	@echo "Setting up $(VENV) (once)..."
	@test -x $(BIN)/uv || $(BIN)/python -m pip install --quiet --require-hashes -r <(sed -n '/^uv==/,/^[^ ]/p' requirements.lock | sed '$$d')
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r requirements.lock
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation $(MEMBERS:%=-e %)
	@touch $@

# numba keeps what it compiles beside the source, or where NUMBA_CACHE_DIR says.
ENGINE := svc-matching/src/svc_matching/engine
$(KERNELS): $(ENGINE)/kernels.py $(ENGINE)/close_look.py $(ENGINE)/choosing.py $(READY)
	@echo "Compiling the matching kernels (once, some seconds)..."
	@$(BIN)/python -c 'from svc_matching.engine import choosing, close_look, kernels'
	@touch $@

setup: $(READY) $(KERNELS) ## Set up the virtual environment with pinned dependencies

run: $(READY) $(KERNELS) ## Start everything in the foreground (Ctrl-C stops it)
	@exec $(BIN)/ketnoi run

demo: $(READY) ## Beside `make run`: load the demo set and show matches (DATA=<folder> for a retrieval set)
	@exec $(BIN)/ketnoi demo $(if $(DATA),--data "$(DATA)")

test: $(READY) $(KERNELS) ## Run the tests, on a Postgres and NATS of their own
	@$(BIN)/pytest $(ARGS)

test-embeddings: ## Test the local embedder (torch, some GB, in .venv-embeddings)
	@$(MAKE) --no-print-directory VENV=.venv-embeddings setup
	@.venv-embeddings/bin/uv pip install --quiet --python .venv-embeddings/bin/python --require-hashes -r requirements-embeddings.lock
	@.venv-embeddings/bin/pytest tests/matching/test_embeddings_local.py $(ARGS)

check: $(READY) lint types arch ## Style, types, architecture and dependencies

fmt: $(READY) ## Format the code
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lint: $(READY)
	@$(BIN)/ruff format --check . && $(BIN)/ruff check .

types: $(READY)
	@$(BIN)/mypy $(PACKAGES:%=-p %)

arch: $(READY)
	@$(BIN)/lint-imports
	@for member in $(MEMBERS); do (cd $$member && ../$(BIN)/deptry src) || exit 1; done

bench: $(READY) ## Measure the hot paths beside their floors (a table and bench-results/*.json)
	@PYTHONPATH=tests exec $(BIN)/python -m load.bench $(ARGS)

bench-matching: $(READY) ## The matching engine beside its peers (ARGS="--sizes=22k,100k,1M --no-peers")
	@PYTHONPATH=tests exec $(BIN)/python -m load.matching $(ARGS)

bench-freshness: $(READY) ## How soon lists know of a new supply, and serve again after a kill
	@PYTHONPATH=tests exec $(BIN)/python -m load.freshness $(ARGS)

quality: $(READY) ## Rank judged retrieval sets (DATA=<folder of sets> SPLIT=dev JSON=<file>)
	@PYTHONPATH=tests exec $(BIN)/python -m quality.measure "$(DATA)" --split $(SPLIT) $(if $(JSON),--json "$(JSON)") $(ARGS)

diagnosis: $(READY) ## How often diagnosis and reason are right, on this project's own set
	@PYTHONPATH=tests exec $(BIN)/python -m quality.diagnosis $(ARGS)

soak: $(READY) ## Faults on a whole suite under load, for long (SECONDS_LONG=1800)
	@$(BIN)/pytest tests/faults/test_soak.py -s --soak-seconds=$(SECONDS_LONG) $(ARGS)

contracts: $(READY) ## Write the OpenAPI snapshots anew (look at the diff: who reads it?)
	@for service in demand supply matching reporting; do \
	  $(BIN)/python -m shared.http.snapshot svc_$$service.main:create_app svc-$$service/openapi.json || exit 1; done
	@$(BIN)/python -m gateway.openapi

EXPORT := $(BIN)/uv export --quiet --format requirements.txt --no-emit-workspace --no-header --no-annotate

lock: $(READY) ## Renew both lock files (newest versions that the members allow)
	@$(BIN)/uv lock --upgrade
	@$(EXPORT) --all-packages --all-extras --no-extra embeddings --all-groups -o requirements.lock
	@$(EXPORT) --package svc-matching --extra embeddings --no-dev -o requirements-embeddings.lock

clean: ## Remove the virtual environment and caches (never data)
	@rm -rf $(VENV) .venv-embeddings .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
