# make demo   the guided tour: each method beside its classical competitors, in one report
# make test   the tests
# make docs   the documentation, into build/docs; a warning is an error, and no network is needed
# make bench  the side-by-side tables
# make lint   style, formatting and the layers of the package
# Each makes .venv and installs into it when needed. Another interpreter: make PYTHON=python3.12 test

PYTHON ?= python3
WORKERS ?= 2
VENV := .venv
BIN := $(VENV)/bin
CONSTRAINTS := tools/constraints-cpu.txt
INSTALLED := $(VENV)/.installed
DOCS_INSTALLED := $(VENV)/.installed-docs

.PHONY: demo test docs bench lint install clean

demo: $(INSTALLED)
	$(BIN)/sciml demo

# One thread per worker: the small tensors of the tests gain nothing from more, and workers would wait for one another.
test: export OMP_NUM_THREADS ?= 1
test: $(INSTALLED)
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadgroup

docs: $(DOCS_INSTALLED)
	rm -rf docs/api/generated
	$(BIN)/python -m sphinx -W --keep-going -q -j auto -b html docs build/docs
	@echo "build/docs/index.html"

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

# Only `make docs` needs Sphinx: the tests do without.
$(DOCS_INSTALLED): $(INSTALLED)
	$(BIN)/python -m pip install --disable-pip-version-check -c $(CONSTRAINTS) -e ".[docs]"
	@touch $@

clean:
	rm -rf $(VENV) build docs/api/generated .pytest_cache .ruff_cache .import_linter_cache .hypothesis
