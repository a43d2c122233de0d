PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALL = $(if $(shell command -v uv),uv pip install --quiet --python $(BIN)/python,$(BIN)/pip install --quiet --disable-pip-version-check)

.DEFAULT_GOAL := help
.PHONY: help install assets strings screenshots demo test ci lint bench mutants mutation proof clean

help:  ## this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(BIN)/nudgepay  ## .venv from the hashed locks

$(BIN)/nudgepay: requirements/dev.txt pyproject.toml
	$(PYTHON) -m venv $(VENV)
	@echo "Installing the pinned dependencies ..."
	$(INSTALL) --require-hashes -r requirements/dev.txt
	$(INSTALL) --no-deps --no-build-isolation -e .
	@touch $@

assets: install  ## the operators' stylesheet, script and icons, built again (needs Node)
	cd frontend && npm ci --silent --no-audit --no-fund && npm run --silent build
	$(BIN)/python scripts/assets.py note

strings: install  ## the operators' pages' translations, compiled
	$(BIN)/python scripts/strings.py compile

screenshots: install  ## pictures of every page into docs/screenshots (needs a Chromium)
	$(BIN)/python scripts/screenshots.py $(ARGS)

demo: install  ## the whole story on sample data, then the pages (ARGS=--once ends after the table)
	$(BIN)/nudgepay demo $(ARGS)

test: install  ## the whole suite (ARGS=... goes to pytest)
	$(BIN)/pytest -n 2 --dist worksteal $(ARGS)

lint: install  ## style, types, imports, security patterns
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/bandit -q -c pyproject.toml -r src

ci: lint test  ## what a pull request must pass
	ENVIRONMENT=test $(BIN)/nudgepay config check

bench: install  ## ratios to limits measured in the same run; figures into docs/evidence
	$(BIN)/python bench/webhook.py
	$(BIN)/python bench/planning.py
	$(BIN)/python bench/sending.py
	$(BIN)/python bench/growth.py
	$(BIN)/python bench/pages.py
	$(BIN)/python bench/start.py

mutants: install  ## every planted defect must turn its test red (ARGS=--only part)
	$(BIN)/python tests/mutants/run.py --write $(ARGS)

mutation: install  ## small changes to the pure rooms, and how many the tests notice (half an hour)
	$(BIN)/python scripts/mutation_score.py $(ARGS)

proof: install  ## the long forms of the fault tests, and two scanners (wapiti, sqlmap); figures into docs/evidence
	NUDGEPAY_PROOF=1 $(BIN)/pytest tests/faults -s --timeout 1200 $(ARGS)
	$(BIN)/python scripts/scanners.py

clean:  ## forget the virtual environment and local data
	rm -rf $(VENV) var
