# Two commands matter: `make demo` and `make test`. Both set up .venv by themselves.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
PYTHON ?= $(shell for p in python3 python3.11 python3.12 python3.13; do \
	$$p -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$p && break; done)
# Trust the certificates the system trusts: behind a company's proxy uv's own are not enough.
UV := $(BIN)/uv pip install --quiet --system-certs
# Extra flags for torch alone, for instance an index of CPU or CUDA builds.
PIP_FLAGS ?=
export HF_HUB_DISABLE_TELEMETRY := 1

# Of `make chaos`: how many faults, from which seed, on which database.
FAULTS ?= 200
SEED ?= 1
DATABASE ?= sqlite
CHAOS_SHORT := tests/chaos/test_chaos_short.py
WORKERS ?= 2
DEMO_DATA := demo-output/data
# The port of the page; by default 8484 or the next free one.
DEMO_PORT ?=
# The demo is about this checkout, whatever server and database the shell is set up for.
DEMO := env -u BLOCKSMITH_URL -u BLOCKSMITH_KEY -u BLOCKSMITH_DATABASE -u BLOCKSMITH_ARTIFACTS -u BLOCKSMITH_RAY_ADDRESS \
	$(BIN)/blocksmith

.PHONY: help demo demo-stop test page-types setup setup-development setup-devices lint types layers check docs openapi chaos chaos-short bench-service clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*##/  -/'

$(VENV)/.installed: pyproject.toml constraints.txt
	@test -n "$(PYTHON)" || { echo "Blocksmith needs Python 3.11 or newer: make PYTHON=/path/to/python3.11"; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt $(PIP_FLAGS) uv torch==2.13.0
	$(UV) --python $(BIN)/python -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-development: $(VENV)/.installed
	$(UV) --python $(BIN)/python -c constraints.txt -e '.[development]'
	@touch $@

$(VENV)/.installed-devices: $(VENV)/.installed-development
	$(UV) --python $(BIN)/python -c constraints.txt -e '.[openvino,litert,ethos-u]'
	@touch $@

setup: $(VENV)/.installed  ## create .venv with everything the product needs
setup-development: $(VENV)/.installed-development  ## and what its tests need
setup-devices: $(VENV)/.installed-devices  ## and the compilers of further devices (2 GB), so that their tests run, too

demo: setup  ## the main job through the service: distil, search, front, export, page (about three minutes on two cores)
	$(DEMO) up --data $(DEMO_DATA) $(if $(DEMO_PORT),--port $(DEMO_PORT)) --detach
	$(DEMO) submit examples/reference-demo.yaml --data $(DEMO_DATA) --wait --output demo-output
	@$(DEMO) up --data $(DEMO_DATA) $(if $(DEMO_PORT),--port $(DEMO_PORT)) --detach
	@echo "Stop the service with: make demo-stop"

demo-stop: setup  ## stop the service that `make demo` left running
	$(DEMO) down --data $(DEMO_DATA)

test: setup-development  ## the test suite, two files at a time (WORKERS=0: one after the other)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --no-loadscope-reorder --ignore $(CHAOS_SHORT)

lint: setup-development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-development
	$(BIN)/mypy

layers: setup-development
	$(BIN)/lint-imports

docs: setup-development  ## regenerate the CLI reference
	$(BIN)/typer api.cli.main utils docs --name blocksmith --output docs/cli.md

openapi: setup-development  ## regenerate docs/openapi.json and the tables of docs/rest.md
	$(BIN)/python -m api.reference docs

page-types:  ## check the types of the page (fetches TypeScript by npx; needs Node)
	npx --yes --package typescript@5.9.3 tsc -p api/dashboard/jsconfig.json

chaos: setup-development  ## kill, stop, cut and fill: FAULTS=200 SEED=1 DATABASE=sqlite|postgresql
	$(BIN)/python -m tests.chaos --faults $(FAULTS) --seed $(SEED) --database $(DATABASE)

chaos-short: setup-development  ## the same with eight faults on each database (three minutes)
	$(BIN)/python -m pytest $(CHAOS_SHORT)

bench-service: setup-development  ## speed of the service and of a peer's storage: DATABASE=sqlite|postgresql
	$(UV) --python $(BIN)/python -c constraints.txt -e '.[benchmarks]'
	$(BIN)/python -m benchmarks.service --database $(DATABASE)

check: lint types layers test chaos-short  ## what continuous integration runs

clean:
	rm -rf $(VENV) demo-output
