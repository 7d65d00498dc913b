# make train    install everything into .venv, then train the default network
# make test     install, then format, lint, types and all tests
.PHONY: help install train test test-fast lint types bench clean

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

help:
	@echo "make train      install into .venv and train the default: chromosomes drawn from the ideogram, ResNet18"
	@echo "make test       install, then lint, types and all tests (make test-fast leaves out the slow ones)"
	@echo "make bench      speed against named peers, as ratios; written to docs/benchmarks.md"
	@echo "make clean      remove .venv and caches; runs under logs/ and multirun/ stay"

install: $(VENV)/.installed

# uv installs the pinned versions several times faster than pip, and shows its progress.
$(VENV)/.installed: requirements.txt pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit("karyo needs Python 3.11 or newer; say PYTHON=python3.12" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv==0.13.9
	$(BIN)/uv pip install --python $(BIN)/python --compile-bytecode -r requirements.txt
	$(BIN)/uv pip install --python $(BIN)/python --no-deps --editable .
	touch $@

train: install
	$(BIN)/python src/train.py

test: lint types
	$(BIN)/python -m pytest -n auto

test-fast: lint types
	$(BIN)/python -m pytest -n auto -m "not slow"

lint: install
	$(BIN)/ruff format --check src tests
	$(BIN)/ruff check src tests

types: install
	$(BIN)/mypy

bench: install
	$(BIN)/python tests/bench/run.py

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache build dist
