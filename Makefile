# Two commands do everything: `make reproduce` and `make test`. Both set up .venv by themselves, once.
PYTHON ?= python3
PIP_ARGS ?=
BIN := .venv/bin
RUN_READY := .venv/.ready-run
TEST_READY := .venv/.ready-test
DOCS_READY := .venv/.ready-docs

.PHONY: reproduce quick test test-all lint bench docs mutants fuzz coverage clean
reproduce: $(RUN_READY)
	$(BIN)/spo reproduce --resume

quick: $(RUN_READY)
	$(BIN)/spo reproduce --quick --resume --out out-quick

# The most telling cases of every test: what must pass before a change is merged
test: $(TEST_READY) lint
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not thorough"

# Every case of every test
test-all: $(TEST_READY) lint
	$(BIN)/python -m pytest -n 2 --dist worksteal

lint: $(TEST_READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

# Every planted bug of tests/mutants/catalogue.toml must be noticed
mutants: $(TEST_READY)
	$(BIN)/python tests/mutants/run.py

# Thousands of random inputs for parsers, the checkpoint reader, the command line and public functions
fuzz: $(TEST_READY)
	HYPOTHESIS_PROFILE=nightly $(BIN)/python -m pytest -n 2 --dist worksteal tests/fuzz

# Which lines `make test-all` runs, by package, as docs/coverage.md shows it
coverage: $(TEST_READY)
	$(BIN)/python -m coverage erase
	-$(BIN)/python -m pytest -n 2 --dist worksteal --cov --cov-report=
	$(BIN)/python tests/coverage_by_package.py

bench: $(TEST_READY)
	for b in benchmarks/bench_*.py; do $(BIN)/python $$b || exit 1; done

docs: $(DOCS_READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict

$(BIN)/python:
	$(PYTHON) -m venv .venv

$(RUN_READY): pyproject.toml constraints.txt | $(BIN)/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e ".[lab]"
	touch $@

$(TEST_READY): $(RUN_READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e ".[test]"
	touch $@

$(DOCS_READY): $(RUN_READY)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt -e ".[docs]"
	touch $@

clean:
	rm -rf .venv site out out-quick .cache
