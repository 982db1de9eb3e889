# robustseg: `make help` lists the targets. Each sets up .venv first if necessary.
PYTHON ?= python3
BIN := .venv/bin
STAMP := .venv/.installed
# One compute thread per test process, as many processes as cores.
TEST := OMP_NUM_THREADS=1 WANDB_MODE=offline $(BIN)/python -m pytest -n auto
# Engines share this machine: one test at a time.
ENGINES := OMP_NUM_THREADS=1 WANDB_MODE=offline $(BIN)/python -m pytest -n 0 -m engines tests/integration/engines

.DEFAULT_GOAL := help
.PHONY: help setup demo campaign data-given results pages test test-all test-engines test-browser test-gpu test-wandb engines browser lint format docs bench clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP)  ## create .venv and install everything into it (3 to 5 minutes, 7 GB)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "robustseg needs Python 3.11 or newer: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@echo "Setting up .venv (3 to 5 minutes the first time)"
	@test -x $(BIN)/python || $(PYTHON) -m venv .venv
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev]"
	@touch $@

demo: $(STAMP)  ## the main job from scratch: nine runs on synthetic images, their table and figures (4 minutes)
	$(BIN)/python train.py +experiment=demo
	@echo
	$(BIN)/robustseg table demo
	@echo
	$(BIN)/robustseg figures demo
	@echo "Runs in runs/ (one folder each), logs in logs/. What the figures show: experiments/demo/README.md"

MINUTES ?= 60
JOBS ?= auto
campaign: data-given $(STAMP)  ## train the small experiments on DATA=… for MINUTES=60, JOBS=auto runs at a time
	$(BIN)/python experiments/campaign.py --data "$(DATA)" --minutes $(MINUTES) --jobs $(JOBS)

data-given:
	@test -n "$(DATA)" || { echo "DATA=… is missing: the folder with isic2017, shenzhen and histopathology"; exit 2; }

results: $(STAMP)  ## results.csv, table.md and figures of EXPERIMENT=… from runs/ into experiments/ (IMAGES=train, all: with images)
	$(BIN)/robustseg results $(EXPERIMENT) --runs runs --out experiments $(if $(IMAGES),--images $(IMAGES))

pages: $(STAMP)  ## rewrite the tables of pages from the records, and name the numbers in sentences that are stale
	$(BIN)/python experiments/pages.py
	$(BIN)/python experiments/prose.py

test: $(STAMP)  ## all tests that run in ten minutes on two cores and need no service
	$(TEST) -m "not slow and not engines and not browser and not gpu and not wandb"

test-all: engines browser  ## every test; one installs the wheel and all it needs (GBs, from the package index)
	$(TEST) -m "not engines"
	$(ENGINES)

test-engines: engines  ## sweeps through a real Slurm and a real Ray, started by the tests (needs root)
	$(ENGINES)

test-browser: browser  ## pages in a real browser (needs Debian's chromium)
	$(TEST) -m browser

test-wandb: $(STAMP)  ## online, resumed and synced runs on openwandb, a server of non-commercial licence
	@test -x build/openwandb/bin/openwandb || { $(PYTHON) -m venv build/openwandb && \
	  build/openwandb/bin/python -m pip install --quiet --disable-pip-version-check openwandb==0.5.25; }
	OMP_NUM_THREADS=1 OPENWANDB=$(CURDIR)/build/openwandb/bin/openwandb $(BIN)/python -m pytest -n 0 -m wandb tests/integration

test-gpu: $(STAMP)  ## tests that need a CUDA device
	$(TEST) -m gpu

engines: $(STAMP)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[dev,slurm,ray]"

browser: $(STAMP)
	@command -v chromium >/dev/null || apt-get install --yes --no-install-recommends chromium

docs: $(STAMP)  ## build the documentation in site/, readable without a network
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict
	@echo "Open site/index.html"

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## format the code
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: $(STAMP)  ## measure speed against named peers in the same run (half an hour)
	$(BIN)/python benchmarks/bench_training.py
	$(BIN)/python benchmarks/bench_epoch.py
	$(BIN)/python benchmarks/bench_data.py
	$(BIN)/python benchmarks/bench_evaluation.py
	$(BIN)/python benchmarks/profile_epoch.py
	$(BIN)/python benchmarks/bench_losses.py
	$(BIN)/python benchmarks/bench_losses.py --classes 4
	$(BIN)/python benchmarks/bench_metrics.py
	$(BIN)/python benchmarks/bench_noise.py
	$(BIN)/python benchmarks/bench_sweep.py
	$(BIN)/python benchmarks/bench_packing.py
	$(BIN)/python benchmarks/bench_results.py
	$(BIN)/python benchmarks/bench_gpu.py

clean:  ## remove files left by the tools, but neither .venv nor runs
	rm -rf .pytest_cache .mypy_cache .ruff_cache .hypothesis build dist
