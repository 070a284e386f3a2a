# What the README, CI and people all call. Each target makes $(VENV) and installs this project into it when needed.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
NEEDS_PYTHON = import sys; sys.exit(sys.version_info < (3, 11))

.PHONY: help demo test parity fuzz soak lint types format bench site release clean install

help:
	@echo "make demo    draw a small set of scenes, train on it, evaluate, predict (runs/demo-...)"
	@echo "make test    all tests, a worker a processor (TESTS=path, PYTEST_ARGS=... and WORKERS=number change that)"
	@echo "make parity  every layer, optimizer, ... beside Keras on many random configurations (EXAMPLES=300)"
	@echo "make fuzz    random stacks of layers beside plain torch in float64 (FUZZ_CASES=10000, FUZZ_FIRST=number),"
	@echo "             and damaged files for each reader, guided by coverage (FUZZ_INPUTS=100000)"
	@echo "make soak    runs that are killed, stopped or out of disk, and resumed, beside uninterrupted ones (SOAK_FAULTS=200)"
	@echo "make lint    ruff and mypy, and whether the files are formatted; make format does it"
	@echo "make types   what the public types promise to programs"
	@echo "make bench   this project beside Keras (installs TensorFlow and JAX too)"
	@echo "make site    the documentation as a site in build/site/html"
	@echo "make release make, check, commit and tag a release (VERSION=1.2.0); publishing stays with you"
	@echo "make clean   remove the virtual environment and what tools left behind (never runs/)"
	@echo "PYTHON=python3.12 chooses the interpreter (3.11 or newer), VENV=folder where the environment lies."

# One stamp a set of extras: the demo needs the package alone, tests need its development tools too. Python compiles what
# is imported, when it is; pip would compile everything.
EXTRAS_app :=
EXTRAS_dev := [dev]
EXTRAS_bench := [dev,bench]
EXTRAS_fuzz := [dev,fuzz]
EXTRAS_site := [site]
EXTRAS_release := [dev,release]
.PRECIOUS: $(VENV)/.installed-%

$(VENV)/.installed-%: pyproject.toml setup.py
	@$(PYTHON) -c '$(NEEDS_PYTHON)' || { echo "error: $(PYTHON) is $$($(PYTHON) -V 2>&1). Expected 3.11 or newer: make PYTHON=python3.12 ..." >&2; exit 1; }
	@echo "installing into $(VENV) (PyTorch is large: the first time takes some minutes) ..."
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --no-compile --quiet --disable-pip-version-check --editable '.$(EXTRAS_$*)'
	touch $@

install: $(VENV)/.installed-dev

demo: $(VENV)/.installed-app
	$(BIN)/scene-lightning demo

# A worker a processor, except for single files, which are done before workers have started. Tests start many processes,
# which need not compile the package anew.
WORKERS ?= auto
PARALLEL = $(if $(findstring .py,$(TESTS)),,-n $(WORKERS) --dist worksteal)
test: $(VENV)/.installed-dev
	PYTHONDONTWRITEBYTECODE= $(BIN)/python -m pytest $(PARALLEL) $(PYTEST_ARGS) $(TESTS)

# The tests of random configurations, with so many of them, and other ones in each run.
EXAMPLES ?= 300
PARITY := tests/layers tests/optimizers tests/callbacks tests/metrics tests/losses tests/ops tests/test_activations.py \
	tests/test_initializers.py tests/test_regularizers_constraints.py
parity: $(VENV)/.installed-dev
	SCENE_LIGHTNING_EXAMPLES=$(EXAMPLES) $(BIN)/python -m pytest --timeout 0 $(PYTEST_ARGS) $(PARITY)

# Random stacks of layers, each against plain torch in float64, and damaged files for each reader; FUZZ_FIRST=number
# repeats a run.
FUZZ_CASES ?= 10000
FUZZ_INPUTS ?= 100000
fuzz: $(VENV)/.installed-fuzz
	FUZZ_CASES=$(FUZZ_CASES) FUZZ_INPUTS=$(FUZZ_INPUTS) $(BIN)/python -m pytest -s $(PYTEST_ARGS) tests/fuzz

# Runs with injected faults (kills, signals, a full disk), resumed until they end; SOAK_FIRST=number repeats a run.
SOAK_FAULTS ?= 200
soak: $(VENV)/.installed-dev
	SOAK_FAULTS=$(SOAK_FAULTS) $(BIN)/python -m pytest -s --timeout 0 -m "" $(PYTEST_ARGS) tests/soak
	$(BIN)/python -m pytest --timeout 0 -m soak --ignore tests/soak $(PYTEST_ARGS) tests

lint: $(VENV)/.installed-dev
	$(BIN)/python -m ruff check .
	$(BIN)/python -m ruff format --check .
	$(BIN)/python -m mypy

# What the public types promise to the programs of others, by mypy.
types: $(VENV)/.installed-dev
	$(BIN)/python -m pytest -m types $(PYTEST_ARGS) tests/typing

format: $(VENV)/.installed-dev
	$(BIN)/python -m ruff check --fix .
	$(BIN)/python -m ruff format .

bench: $(VENV)/.installed-bench
	$(BIN)/python -m benchmarks $(BENCH_ARGS)

site: $(VENV)/.installed-site
	$(BIN)/python -m tools.site

# In a copy of the tree: nothing of yours changes before the last check has passed (tools/release.py).
release: $(VENV)/.installed-release
	@test -n "$(VERSION)" || { echo "error: which version? make release VERSION=1.2.0" >&2; exit 2; }
	$(BIN)/python tools/release.py "$(VERSION)"

clean:
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis lightning_logs
	find scene_lightning tests -name __pycache__ -type d -prune -exec rm -rf {} +
