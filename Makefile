# The commands of LabShare. `make help` lists them. They need Python 3.11 or later, make and (for the front end) npm.
# Stamps in .venv keep a second run quick: each step is done again only when the file that decides it has changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv
INSTALL := $(UV) pip install --quiet --python $(BIN)/python
COMPILE := $(UV) pip compile --quiet --universal --generate-hashes --no-header --no-emit-index-url
PARTS := labshare/web/static/vendor/.stamp
READER := tests/javascript/node_modules/.package-lock.json
WORKERS ?= auto
TESTS ?= tests
SIZES ?= S 60 M
SEEDS ?= 1 2 3
SECONDS ?= 60
CORES ?= 2
PYTEST := $(BIN)/pytest $(TESTS) -n $(WORKERS) --maxprocesses 4 --dist loadfile -q

# Compiled code is kept beside the source (and out of git): dozens of processes start in a run of the tests, and without
# it each would compile all that it imports.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help setup setup-dev demo serve test check bench bench-scheduler lock

help: ## list the commands
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-15s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: $(PARTS) ## install what serving needs into .venv

demo: setup ## set up and serve the demo on this machine
	@$(BIN)/labshare demo

serve: setup ## serve with the settings in the environment (deploy/README.md)
	@$(BIN)/labshare serve

test: setup-dev ## set up and run the tests (TESTS=tests/domain for a part, WORKERS=0 for one process)
	@$(BIN)/python -m tests.servers
	$(PYTEST) -m 'not slow'

check: setup-dev ## all that a change must pass: format, lint, types, import rules, tests, long proofs
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/pyright
	$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test
	$(PYTEST) -m slow

bench: setup-dev ## measure: queries, CPU and time of the busiest paths
	@$(BIN)/python -m tests.servers
	$(BIN)/pytest tests/benchmarks -o python_files='bench_*.py' -q -s

bench-scheduler: setup-dev ## the scheduler against others (SIZES, SEEDS, SECONDS, CORES, KEEP=FOLDER; README=1 writes the table)
	@$(BIN)/python -m tests.benchmarks.bench_scheduler --sizes $(SIZES) --seeds $(SEEDS) --seconds $(SECONDS) \
		--workers $(CORES) $(if $(KEEP),--keep $(KEEP)) $(if $(README),--readme)

lock: setup-dev ## choose versions again, after a change in pyproject.toml or frontend/package.json
	$(COMPILE) $(UPGRADE) pyproject.toml -o requirements/run.txt
	$(COMPILE) $(UPGRADE) pyproject.toml --group dev -c requirements/run.txt -o requirements/dev.txt
	echo uv | $(COMPILE) $(UPGRADE) - -o requirements/uv.txt
	cd frontend && npm install --package-lock-only --ignore-scripts
	cd tests/javascript && npm install --package-lock-only --ignore-scripts

# --- steps -----------------------------------------------------------------------------------------------------------

setup-dev: $(VENV)/.dev $(PARTS) $(READER)

$(UV): requirements/uv.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "LabShare needs Python 3.11 or later: make PYTHON=python3.11 ...")'
	@$(PYTHON) -c 'import ensurepip' || { echo "This Python cannot make a virtual environment (Debian: apt-get install python3-venv)"; exit 1; }
	@echo "Setting up .venv (once)"
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/.run: requirements/run.txt $(UV)
	@$(INSTALL) --require-hashes -r requirements/run.txt
	@touch $@

$(VENV)/.dev: requirements/dev.txt $(VENV)/.run
	@$(INSTALL) --require-hashes -r requirements/dev.txt
	@touch $@

# The hook in hatch_build.py fetches the front-end parts on the way.
$(PARTS): $(VENV)/.run pyproject.toml hatch_build.py frontend/package-lock.json frontend/parts.toml
	@$(INSTALL) --no-deps --editable .
	@touch $@

# A calendar reader in JavaScript, for the tests alone: exactly what its lock names, and no script of a package runs.
$(READER): tests/javascript/package-lock.json
	@cd tests/javascript && npm ci --ignore-scripts --silent
	@touch $@
