# `make demo` and `make test` do all the set-up. CONTRIBUTING.md says what each target runs, and how long it takes.
#
#   make test       the quick tests, on all cores           make check   format, lint, types and import contracts
#   make test-all   every test, with more random examples   make docs    write docs/hypotheses.md anew
#   make test-gpu   the tests that need a GPU               make bench   measure how fast things are
#   make fuzz       damage files at random and open them, until stopped; FUZZ="--seed 1 --state fuzz.json" continues a run
#   make gallery    run the commands of docs/gallery.md, and draw its pictures anew, in ten minutes
#   make clean      remove environments, caches, what was built and compiled, and the folder demo
#
# ARGS="--lf -x" goes to pytest, SEED=17 draws other random examples for `make test-all`, WORKERS=0 runs all tests in one
# process, TEXT=corpus.txt is what `make bench` reads, and BENCH="--cell gru" goes to its measurement of extraction.
# `make test PYTHON=python3.12 VENV=.venv-3.12 SHORT=1` tests what depends on Python itself (labels, files and imports) on
# another Python.
# `make gallery FOLDER=drawn` keeps what the commands write there, and goes on where an earlier run was stopped.
PYTHON ?= $(shell for python in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$python -c '$(NEW_ENOUGH)' 2> /dev/null && echo $$python && break; done)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
TEXT ?= probe/data/python.py.txt
SEED ?= 0
WORKERS ?= auto
VENV := .venv
BIN := $(VENV)/bin
FOUND = $(or $(wildcard $(BIN)/python),$(PYTHON))
INSTALLED := $(VENV)/.installed
NOTEBOOKS := $(VENV)/.notebooks
SHORT_TESTS = $(wildcard tests/test_hypotheses_*.py) tests/test_activations_models_checkpoints.py tests/test_activations_models_ngrams.py tests/test_probe_api.py
PYTEST = $(BIN)/pytest --numprocesses $(WORKERS) --maxprocesses 8 --dist worksteal $(ARGS)

.PHONY: demo test test-all test-gpu fuzz check docs gallery notebooks bench clean

demo: $(INSTALLED)
	$(BIN)/probe demo demo

# One thread each: pytest has a worker for each core, and fuzzing forks, which is not safe with threads.
test test-all fuzz: export OMP_NUM_THREADS = 1
test test-all fuzz: export OPENBLAS_NUM_THREADS = 1
test test-all fuzz: export NUMBA_NUM_THREADS = 1
test test-all fuzz: export NUMBA_CACHE_DIR = $(CURDIR)/build/compiled

test: $(INSTALLED)
	$(PYTEST) -m "not slow" $(if $(SHORT),$(SHORT_TESTS))

test-all: $(INSTALLED) $(NOTEBOOKS)
	$(PYTEST) --hypothesis-profile=ci --hypothesis-seed=$(SEED)

test-gpu: $(INSTALLED)
	$(BIN)/pytest -m gpu -rs

fuzz: $(INSTALLED)
	PYTHONPATH=tests $(BIN)/python -m fuzzing $(FUZZ)

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(BIN)/python -c 'from hypotheses.describing.page import page; print(page(), end="")' > docs/hypotheses.md

gallery: $(INSTALLED)
	$(BIN)/python benchmarks/gallery.py $(FOLDER)

notebooks: $(INSTALLED) $(NOTEBOOKS)
	$(BIN)/python benchmarks/notebooks.py

bench: $(INSTALLED)
	$(BIN)/python benchmarks/extract.py $(TEXT) $(BENCH)
	$(BIN)/python benchmarks/rank.py $(TEXT)
	$(BIN)/python benchmarks/fit.py $(TEXT)
	$(BIN)/python benchmarks/label.py $(TEXT)

$(INSTALLED): pyproject.toml constraints.txt
	$(if $(FOUND),,$(error char-probe needs Python 3.11 or newer, and none is on the path; name one: make PYTHON=...))
	@$(FOUND) -c '$(NEW_ENOUGH)' || { echo "$(FOUND) is not Python 3.11 or newer; name one that is: make PYTHON=..."; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

# JupyterLab and marimo, in which all tests show the widget.
$(NOTEBOOKS): $(INSTALLED)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev,notebook-tests]'
	touch $@

# Virtual environments, what was built, caches, the folder of `make demo`, and compiled loops in __pycache__ of the packages.
clean:
	rm -rf .venv .venv-* build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache demo
	find activations analyses benchmarks hypotheses probe tests -name __pycache__ -type d -prune -exec rm -rf {} +
