# make demo   the guided tour: a pressure projection around a real surface, ours beside PyAMG and plain CG
# make test   the tests
# make bench  the side-by-side tables
# make lint   style, formatting and the floors of the house
# Each makes .venv and installs into it when needed. Another interpreter: make PYTHON=python3.12 test

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := tools/constraints-cpu.txt
INSTALLED := $(VENV)/.installed

.PHONY: demo test bench lint install clean

demo: $(INSTALLED)
	$(BIN)/sciml demo

test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

bench: $(INSTALLED)
	$(BIN)/sciml bench

lint: $(INSTALLED)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

install: $(INSTALLED)

# The stamp is written last, so that an installation which failed half-way is repeated.
$(INSTALLED): pyproject.toml $(CONSTRAINTS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sciml needs Python 3.11 or newer, $(PYTHON) is " + sys.version.split()[0] + "; try make PYTHON=python3.12")'
	@rm -f $@
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --disable-pip-version-check -c $(CONSTRAINTS) -e ".[test]"
	@touch $@

clean:
	rm -rf $(VENV) .pytest_cache .ruff_cache .import_linter_cache .hypothesis
