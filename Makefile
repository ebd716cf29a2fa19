# `make help` lists the commands; `make paper` is the one most people need.
SHELL := /bin/bash
.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help setup setup-dev paper more card test-quick test test-conda test-processors lint bench bench-sweeps bench-machine lock \
  clean scale

SCALE ?= laptop
CORES ?= all
ARGS ?=
FROM ?=
ifeq ($(FROM),reference)
SCALE = reference
MORE = results_from=reference
else
MORE = $(if $(wildcard results/$(SCALE)/more.yaml),--configfile results/$(SCALE)/more.yaml)
endif
BIN := .venv/bin
QUICK := $(addprefix tests/,common plan data models optimizers training theory runs analysis reporting stages)

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo "  SCALE=smoke|laptop|reference|paper (laptop), CORES=n (all), ARGS='...' for Snakemake, pytest or uv, PYTHON=/path/to/python for setup"

setup: ## the pinned environment in .venv: minutes the first time, then at once
	@scripts/setup.sh

setup-dev: ## the same, with what the tests and linters need
	@scripts/setup.sh --dev

paper: scale setup ## every figure, table and claim: results/<scale>/report/index.html (FROM=reference: from the runs kept here)
	@$(BIN)/python scripts/unlock.py
	$(BIN)/snakemake --cores $(CORES) --config scale=$(SCALE) $(MORE) $(ARGS)

more: scale setup ## CLAIM=C3.1.cifar10_r5 SEEDS=8: train the repetitions that a claim still needs, and judge again
	@test -n '$(CLAIM)' -a -n '$(SEEDS)' || { echo "error: make more CLAIM=C3.1.cifar10_r5 SEEDS=8" >&2; exit 2; }
	@$(BIN)/muon-imbalance more '$(CLAIM)' '$(SEEDS)' --scale $(SCALE)
	@$(MAKE) paper SCALE=$(SCALE)

card: scale setup ## OPTIMIZER=name: how it learns the tail, against NMD, Adam and Muon
	@test -n '$(OPTIMIZER)' || { echo "error: name an optimizer: make card OPTIMIZER=shampoo" >&2; exit 2; }
	@$(BIN)/python scripts/unlock.py
	$(BIN)/snakemake --cores $(CORES) --config scale=$(SCALE) $(MORE) $(ARGS) -- results/$(SCALE)/cards/$(OPTIMIZER)/index.html

scale:
	@case '$(SCALE)' in smoke|laptop|reference|paper) ;; \
	  *) echo "error: SCALE='$(SCALE)' is not a scale: use smoke, laptop, reference or paper" >&2; exit 2 ;; esac

test-quick: setup-dev ## for work in progress: ruff and the tests of single modules, at most 3 min on two cores
	$(BIN)/ruff check .
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 -m "not slow" $(QUICK) $(ARGS)

test: setup-dev lint ## the linters and all tests
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 $(ARGS)

test-conda: setup-dev ## two smoke jobs through --use-conda: some minutes and another 6 GB, removed afterwards
	@tests/conda/run.sh

test-processors: setup-dev ## the numeric tests as other processors round, 5 min a pass (ARGS='-n 2')
	$(BIN)/python scripts/test_processors.py $(ARGS)

lint: setup-dev ## ruff, snakefmt and Snakemake's own linter
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/snakefmt --check Snakefile workflow
	$(BIN)/snakemake --lint
	$(BIN)/python scripts/make_env.py --check

bench: setup-dev ## our optimizers beside the public ones, 9 min: writes docs/optimizers.md (ARGS='--references FOLDER')
	OPENBLAS_NUM_THREADS=1 PYTHONPATH=src $(BIN)/python -m benchmarks.optimizers $(ARGS)

bench-sweeps: setup-dev ## a sweep in stacks beside a plain loop and one process per run, 4 min: writes docs/sweeps.md
	PYTHONPATH=src $(BIN)/python -m benchmarks.sweeps $(ARGS)

bench-machine: setup-dev ## this machine beside the one of the budgets, 1 min: writes docs/machine.md
	PYTHONPATH=src $(BIN)/python -m benchmarks.machine $(ARGS)

lock: setup-dev ## recompile the lock files and envs/pipeline.yaml (ARGS=--upgrade for newer versions)
	@eval "$$($(BIN)/python scripts/uv_settings.py)"; set -ex; \
	for name in requirements requirements-dev; do \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header $(ARGS) $$name.in -o $$name.lock; \
	done; \
	$(BIN)/python scripts/make_env.py

clean: ## remove what runs wrote: data, results, logs, figures (not .venv, nor the download cache)
	@if [ -x $(BIN)/python ]; then $(BIN)/python scripts/unlock.py; fi
	rm -rf data results logs .snakemake
	find figures -mindepth 1 ! -name README.md -delete
