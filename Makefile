# The whole developer interface. Each target sets up what it needs; none needs root or a service.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/python -m pip --disable-pip-version-check install --quiet
SHELL  := /bin/bash

.DEFAULT_GOAL := help
.PHONY: help demo test drills serve bench check format golden generate lock clean

help: ## this list
	@grep -hE '^[a-z]+:.*##' Makefile | sed -E 's/:.*##/\t/' | expand -t 12

# Hashed, wheels only, and the project itself without asking an index for anything.
$(VENV)/runtime: requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, found " + sys.version.split()[0])'
	@test -x $(BIN)/python || { echo "making $(VENV) (once, about a minute)"; $(PYTHON) -m venv $(VENV); }
	@$(PIP) --require-hashes --only-binary :all: -r requirements.txt
	@printf '%s\n' "$(CURDIR)" > "$$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))')/flatfile-sync.pth"
	@printf '#!%s\nfrom flatfile_sync.cli.main import main\nmain()\n' "$(CURDIR)/$(BIN)/python" > $(BIN)/flatfile-sync
	@chmod +x $(BIN)/flatfile-sync
	@touch $@

$(VENV)/dev: $(VENV)/runtime requirements-dev.txt
	@$(PIP) --require-hashes --only-binary :all: -r requirements-dev.txt
	@touch $@

demo: $(VENV)/runtime ## the main job on real input: daemon, upload, results, rejects repaired, duplicate
	@$(BIN)/flatfile-sync demo

serve: $(VENV)/runtime ## the daemon for real (runs `init` on first start)
	@$(BIN)/flatfile-sync --config instance/flatfile-sync.toml serve

test: $(VENV)/dev ## every test, two at a time
	@$(BIN)/python -m pytest -n 2 --dist worksteal

drills: $(VENV)/dev ## every kill on both databases: half an hour
	@FLATFILE_SYNC_DRILLS=all $(BIN)/python -m pytest -n 2 --dist worksteal tests/faults

check: $(VENV)/dev ## all that CI runs: format, lint, types, imports, generated files, tests
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports
	@$(MAKE) --no-print-directory test

bench: $(VENV)/dev ## rows per second and memory, beside a raw floor and a per-row baseline
	@$(BIN)/python -m tests.benchmarks

golden: $(VENV)/dev ## rewrite the expected result sets after an intended change
	@$(BIN)/python -m tests.golden.rewrite

generate: $(VENV)/dev ## rewrite what is generated: JSON Schemas, issue catalogue, README excerpt
	@$(BIN)/python -m tests.generate

format: $(VENV)/dev ## format and apply safe fixes
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

lock: ## resolve requirements*.txt anew (needs uv on the path)
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q pyproject.toml -o requirements.txt
	uv pip compile --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --no-header -q pyproject.toml --group dev -c requirements.txt -o requirements-dev.txt

clean: ## remove what the targets made
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
