# FinanceHub: `make run` starts everything, `make test` proves it. See README.md.
.DEFAULT_GOAL := help
VENV := .venv
PY := $(VENV)/bin/python
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev

help: ## show the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/\t/'

$(STAMP): requirements/run.txt scripts/install.sh
	@bash scripts/install.sh run
	@touch $@

$(DEV_STAMP): requirements/dev.txt $(STAMP)
	@bash scripts/install.sh dev
	@touch $@

install: $(STAMP) ## make .venv with everything that running needs

run: $(STAMP) ## start FinanceHub in the foreground; Ctrl-C stops it
	@exec $(VENV)/bin/financehub up

unit: $(DEV_STAMP) ## fast tests, under a minute
	@$(PY) -m pytest -m "not services and not ray and not timescale and not slow"

lint: $(DEV_STAMP) ## ruff, mypy --strict, import-linter
	@$(PY) -m ruff check .
	@$(PY) -m ruff format --check .
	@$(PY) -m mypy domain storage actors deployments observability
	@$(VENV)/bin/lint-imports --no-cache

test: $(DEV_STAMP) ## everything: fast tests, services, Ray scenarios
	@bash scripts/test.sh

soak: $(DEV_STAMP) ## what takes longer: a thousand simulated schedules
	@bash scripts/soak.sh

bench: $(DEV_STAMP) ## measure; writes bench.json
	@$(PY) -m tests.bench

soak: $(DEV_STAMP) ## kill processes for five minutes under load, and more seeds of the simulation
	@bash scripts/soak.sh

lock: ## resolve requirements/*.in again
	@bash scripts/lock.sh

.PHONY: help install run unit lint test bench soak lock
