# Every target sets up what it needs in .venv, from the hash-pinned requirements; PYTHON picks the
# interpreter for a new one.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: setup up test lint bench bench-large faults lock clean

setup: $(VENV)/.dev

up: $(VENV)/.runtime
	@$(BIN)/tidings up

# Tests wait more than they compute, so there are more workers than the smallest machine has cores.
TEST_WORKERS ?= 3
test: $(VENV)/.dev
	$(BIN)/python -m pytest --numprocesses $(TEST_WORKERS) --dist worksteal

lint: $(VENV)/.dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

bench: $(VENV)/.bench
	$(BIN)/python -m benchmarks

# Takes a quarter of an hour and up to 25 GB where temporary files lie, or in DIRECTORY.
bench-large: $(VENV)/.bench
	$(BIN)/python -m benchmarks --large $(if $(DIRECTORY),--directory "$(DIRECTORY)") growth

faults: $(VENV)/.dev
	TIDINGS_TEST_FAULTS=full $(BIN)/python -m pytest -m faults

# Writes requirements/*.txt anew from pyproject.toml: universal, hashed, without any URL.
LOCK := pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --quiet
lock: $(VENV)/.dev
	$(BIN)/uv $(LOCK) pyproject.toml --output-file requirements/runtime.txt
	$(BIN)/uv $(LOCK) --group build --constraints requirements/runtime.txt --output-file requirements/build.txt
	$(BIN)/uv $(LOCK) pyproject.toml --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt
	$(BIN)/uv $(LOCK) --group bench --constraints requirements/runtime.txt --output-file requirements/bench.txt

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis dist build

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "tidings needs Python 3.11 or newer; set PYTHON=...")'
	$(PYTHON) -m venv $(VENV)

# The project itself is installed in place, built with what the lock names and nothing else.
$(VENV)/.runtime: requirements/runtime.txt requirements/build.txt pyproject.toml | $(BIN)/python
	$(PIP) --require-hashes -r requirements/runtime.txt -r requirements/build.txt
	$(PIP) --no-deps --no-index --no-build-isolation --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.runtime
	$(PIP) --require-hashes -r requirements/dev.txt
	@touch $@

$(VENV)/.bench: requirements/bench.txt $(VENV)/.dev
	$(PIP) --require-hashes -r requirements/bench.txt
	@touch $@
