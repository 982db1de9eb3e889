# robustseg: `make help` says what there is. Every target sets up .venv first if it has to.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# One compute thread a test process: as many processes as cores.
TEST := OMP_NUM_THREADS=1 WANDB_MODE=offline $(BIN)/python -m pytest -n auto

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all lint format bench clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## create .venv and install everything into it (3 minutes, 6 GB)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "robustseg needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@echo "Setting up .venv (about 3 minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP)  ## the main job from nothing: nine runs on drawn images, their table and figures (4 minutes)
	$(BIN)/python train.py +experiment=demo
	@echo
	$(BIN)/robustseg table demo
	@echo
	$(BIN)/robustseg figures demo
	@echo "Runs in runs/ (one folder each), logs in logs/. What the figures show: experiments/demo/README.md"

test: $(STAMP)  ## all tests that fit into ten minutes on two cores
	$(TEST) -m "not slow"

test-all: $(STAMP)  ## every test
	$(TEST)

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## put the code into shape
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## measure speed, each figure against a named peer in the same run (10 minutes)
	$(BIN)/python experiments/performance/bench_training.py
	$(BIN)/python experiments/performance/bench_losses.py
	$(BIN)/python experiments/performance/bench_metrics.py
	$(BIN)/python experiments/performance/bench_noise.py
	$(BIN)/python experiments/performance/bench_sweep.py

clean:  ## remove what the tools left, but neither .venv nor runs
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
