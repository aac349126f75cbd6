# `make demo` and `make test` do all the set-up; `make check` is for those who work on it. `make docs` writes
# docs/hypotheses.md anew. `make test-gpu` runs what needs a GPU. `make bench` measures;
# TEXT=corpus.txt is what it reads, BENCH="--cell gru" goes to that of extraction. On another Python, only what depends on
# it, the labels, files and imports: `make test PYTHON=python3.12 VENV=.venv-3.12 SHORT=1`.
PYTHON ?= $(shell for each in python3 python3.11 python3.12 python3.13 python3.14; do \
	$$each -c '$(NEW_ENOUGH)' 2> /dev/null && echo $$each && break; done)
NEW_ENOUGH := import sys; sys.exit(sys.version_info < (3, 11))
TEXT ?= probe/data/python.py.txt
VENV := .venv
BIN := $(VENV)/bin
FOUND = $(or $(wildcard $(BIN)/python),$(PYTHON))
INSTALLED := $(VENV)/.installed

.PHONY: demo test test-gpu check docs bench clean

demo: $(INSTALLED)
	$(BIN)/probe demo demo

test: $(INSTALLED)
	$(BIN)/pytest $(if $(SHORT),-m "not slow" $(wildcard tests/test_hypotheses_*.py) tests/test_activations_models_checkpoints.py tests/test_activations_models_ngrams.py tests/test_probe_api.py)

test-gpu: $(INSTALLED)
	$(BIN)/pytest -m gpu -rs

check: $(INSTALLED)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(INSTALLED)
	$(BIN)/python -c 'from hypotheses.page import page; print(page(), end="")' > docs/hypotheses.md

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

clean:
	rm -rf .venv .venv-* build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis demo
