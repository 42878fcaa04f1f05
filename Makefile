# Homing: every command a developer or a newcomer needs. `make help` lists them.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
PACKAGES := desktop sync storage server
export QT_LOGGING_RULES ?= qt.qpa.*=false

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

$(STAMP): requirements.lock pyproject.toml packaging/system-libraries.sh
	@packaging/system-libraries.sh
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 15) else "Homing needs Python 3.11 to 3.14: set PYTHON=python3.x and run make again.")'
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: setup
setup: $(STAMP) ## Create the virtual environment and install what is locked

.PHONY: run
run: $(STAMP) ## Open the window
	$(BIN)/homing $(ARGS)

.PHONY: serve
serve: $(STAMP) ## Start the one-machine sync server
	$(BIN)/homing serve $(ARGS)

.PHONY: test
test: $(STAMP) lint ## Check the code and run every test
	$(BIN)/python -m pytest $(ARGS)

.PHONY: test-long
test-long: $(STAMP) lint ## Every test, with those that take hours (ARGS="-k soak" chooses)
	$(BIN)/python -m pytest -m "long or not long" --timeout=14400 --dist=worksteal $(ARGS)

.PHONY: sim
sim: $(STAMP) ## Simulate sessions (ARGS="--seed 7 --trace" replays one, "--help" tells the rest)
	$(BIN)/python -m tests.simulation $(ARGS)

.PHONY: lint
lint: $(STAMP) ## Style, types and import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

.PHONY: format
format: $(STAMP) ## Rewrite the code in the house style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: bench
bench: $(STAMP) ## Print every figure the README claims, with the machine
	$(BIN)/python -m benchmarks $(ARGS)

.PHONY: screenshots
screenshots: $(STAMP) ## Draw the README's pictures of both themes
	$(BIN)/python -m resources.screenshots

.PHONY: lock
lock: ## Renew requirements.lock (needs uv)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-annotate --no-header --all-extras --group dev --upgrade --quiet --output-file requirements.lock pyproject.toml

.PHONY: clean
clean: ## Remove the virtual environment and caches
	rm -rf $(VENV) build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache
