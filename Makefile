# One command for each thing a contributor does; `make` alone lists them. A fresh machine needs Python, pip and make.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
CODE := audience_pipeline audience_pipeline_tests emulator $(wildcard bench)
# Arguments for pytest: make test ARGS="-k settings"
ARGS ?=
# Test processes; 0 runs the tests in one. One more than there are processors: tests wait for programs they start.
WORKERS ?= $(shell expr $$(getconf _NPROCESSORS_ONLN) + 1)

export PIP_DISABLE_PIP_VERSION_CHECK := 1
export DAGSTER_HOME := $(CURDIR)/.dagster_home

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: emulator-if-possible help setup demo demo-bigquery dev test lint format types check prove bench emulator derive lock clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(INSTALLED) ## Install everything into .venv, from the locked files only (PYTHON=python3.13 chooses the Python)

$(INSTALLED): requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("$(PYTHON): found Python " + sys.version.split()[0] + ", expected 3.11 or later. Name another one: make setup PYTHON=python3.11")'
	@test -x $(BIN)/python || $(PYTHON) -m venv --without-pip $(VENV)
	@echo "Installing the locked packages into $(VENV); the first time takes a few minutes." >&2
# The lock is complete. Left to resolve, an older pip would look at newer versions than the locked ones, and fail.
	@$(PYTHON) -m pip --python $(BIN)/python install -qq --no-deps --require-hashes --requirement requirements.lock
	@$(PYTHON) -m pip --python $(BIN)/python install -qq --no-deps --no-build-isolation --editable .
	@touch $@

demo: $(INSTALLED) ## Run the whole loop on generated data and show the tables
	@$(BIN)/audience-pipeline demo

demo-bigquery: emulator ## Run the same loop on a BigQuery emulator of its own, which takes about a minute
	@$(BIN)/python -m emulator run $(BIN)/audience-pipeline demo --directory demo-bigquery

dev: $(INSTALLED) ## Open Dagster's UI on this code, with its own home in .dagster_home
	@mkdir -p $(DAGSTER_HOME) && cp dagster.yaml $(DAGSTER_HOME)/dagster.yaml
	@$(BIN)/dagster dev --workspace workspace.yaml

test: $(INSTALLED) ## Run all tests but the proofs
	@$(BIN)/python -m pytest -n $(WORKERS) -m "not prove and not bigquery_service" $(ARGS)

lint: $(INSTALLED) ## Check style and format
	@$(BIN)/ruff check $(CODE)
	@$(BIN)/ruff format --check $(CODE)

format: $(INSTALLED) ## Mend what lint can mend
	@$(BIN)/ruff check --fix $(CODE)
	@$(BIN)/ruff format $(CODE)

types: $(INSTALLED) ## Check types, strictly
	@$(BIN)/mypy $(CODE)

emulator: $(INSTALLED) ## Install the BigQuery emulator into .emulator, from its own locked files
	@$(BIN)/python -m emulator install

# Its tests are skipped where it cannot be installed, but not by continuous integration.
emulator-if-possible: $(INSTALLED)
	@$(BIN)/python -m emulator install || test "$$CI" != true

check: lint types emulator-if-possible test ## All that a change must pass; what .ci/run runs

prove: $(INSTALLED) ## Run the long kill, race, fuzz and soak tests; the dated result goes to docs/prove.md
	@$(BIN)/python -m audience_pipeline_tests.prove $(ARGS)

bench: $(INSTALLED) emulator-if-possible ## Run the benchmarks; the table goes to docs/benchmarks.md
	@$(BIN)/python -m bench $(ARGS)

derive: $(INSTALLED) ## Write the derived files again, after a declaration changed
	@$(BIN)/python -m audience_pipeline_tests.derived

lock: $(INSTALLED) ## Resolve the lock files again (ARGS=--upgrade takes newer versions)
	@$(BIN)/uv pip compile pyproject.toml --extra dev --extra bench --universal --python-version 3.11 \
		--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
		--quiet --output-file requirements.lock $(ARGS)
	@$(BIN)/uv pip compile --group emulator --universal --python-version 3.13 \
		--generate-hashes --no-emit-index-url --no-annotate --custom-compile-command "make lock" \
		--quiet --output-file requirements-emulator.lock $(ARGS)

clean: ## Remove what the targets made, but no data
	@rm -rf $(VENV) .emulator .pytest_cache .mypy_cache .ruff_cache .hypothesis dist
	@find $(CODE) -name __pycache__ -type d -prune -exec rm -rf {} +
