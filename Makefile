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

.PHONY: help demo test setup setup-development lint types layers check docs clean

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

setup: $(VENV)/.installed  ## create .venv with everything the product needs
setup-development: $(VENV)/.installed-development  ## and what its tests need

demo: setup  ## the main job: distil, search, front, export (about three minutes on two cores)
	$(BIN)/blocksmith run examples/reference-demo.yaml --data demo-output/data --output demo-output

test: setup-development  ## the whole test suite
	$(BIN)/python -m pytest

lint: setup-development
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup-development
	$(BIN)/mypy

layers: setup-development
	$(BIN)/lint-imports

docs: setup-development  ## regenerate the CLI reference
	$(BIN)/typer api.cli.main utils docs --name blocksmith --output docs/cli.md

check: lint types layers test  ## what continuous integration runs

clean:
	rm -rf $(VENV) demo-output
