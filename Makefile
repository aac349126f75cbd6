# `make demo` and `make test` do all the set-up; `make check` is for those who work on it. `make docs` writes
# docs/hypotheses.md anew. `make bench` measures;
# TEXT=corpus.txt is what it reads, BENCH="--cell gru" goes to that of extraction.
PYTHON ?= python3
TEXT ?= probe/data/python.py.txt
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

.PHONY: demo test check docs bench clean

demo: $(INSTALLED)
	$(BIN)/probe demo demo

test: $(INSTALLED)
	$(BIN)/pytest

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
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info .mypy_cache .pytest_cache .ruff_cache .hypothesis demo
