# Every target sets up what it needs in .venv, from the hash-pinned requirements; PYTHON picks the
# interpreter for a new one.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: setup up test lint bench bench-large faults audit lock clean

setup: $(VENV)/.dev

up: $(VENV)/.runtime
	@$(BIN)/tidings up

# Tests start hundreds of processes: what these import is compiled once, and not by each of them.
unexport PYTHONDONTWRITEBYTECODE

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

# A bill of materials (CycloneDX) of what runs, and known vulnerabilities of all that is locked: asked of
# the package index, over the network. What could not be asked about is a failure, not a clean bill.
AUDIT := $(VENV)/audit
SBOM := dist/tidings.cdx.json
REPORT := dist/vulnerabilities
audit: $(AUDIT)/.done
	@mkdir -p dist
	@$(AUDIT)/bin/cyclonedx-py requirements requirements/runtime.txt --pyproject pyproject.toml \
		--output-reproducible --of JSON --output-file $(SBOM)
	@echo "$(SBOM): what tidings consists of"
	@$(AUDIT)/bin/pip-audit --strict --require-hashes --disable-pip --progress-spinner off \
		$(foreach file,$(wildcard requirements/*.txt),--requirement $(file)) \
		> $(REPORT).txt 2> $(REPORT).log; status=$$?; \
	cat $(REPORT).txt; tail -n 1 $(REPORT).log; \
	if [ $$status -ne 0 ] && [ ! -s $(REPORT).txt ]; then \
		echo "audit: not every package could be looked up, so nothing is known of vulnerabilities" >&2; \
	fi; exit $$status

# Writes requirements/*.txt anew from pyproject.toml: universal, hashed, without any URL.
LOCK := pip compile --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --no-header --quiet
lock: $(VENV)/.dev
	$(BIN)/uv $(LOCK) pyproject.toml --output-file requirements/runtime.txt
	$(BIN)/uv $(LOCK) --group build --constraints requirements/runtime.txt --output-file requirements/build.txt
	$(BIN)/uv $(LOCK) pyproject.toml --group dev --constraints requirements/runtime.txt --output-file requirements/dev.txt
	$(BIN)/uv $(LOCK) --group bench --constraints requirements/runtime.txt --output-file requirements/bench.txt
	$(BIN)/uv $(LOCK) --group audit --constraints requirements/runtime.txt --output-file requirements/audit.txt

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

# In an environment of its own, for it comes with another pip.
$(AUDIT)/.done: requirements/audit.txt | $(BIN)/python
	$(BIN)/python -m venv $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
