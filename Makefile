# make setup   fill .venv            make test    check, then every test
# make demo    the example, read     make check   style and types
# make bench   speed and quality     make docs    write the generated pages
# Every target sets up what it needs on a fresh machine with Python >= 3.11.

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.stamp
OUT ?= out

.PHONY: setup demo test check bench docs
.DELETE_ON_ERROR:

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(RUN) -m pip install --quiet --disable-pip-version-check --editable ".[dev]"
	touch $@

# HEADLESS=1 is accepted, as by every later form of the demo; this one needs no screen.
demo: $(STAMP)
	@mkdir -p $(OUT)
	@$(RUN) -m nlp.extract examples/captions.csv --covid-column covid19 -o $(OUT)/labels.csv --html $(OUT)/captions.html
	@echo && echo "open $(abspath $(OUT))/captions.html in a browser"

test: check
	$(RUN) -m pytest

check: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

bench: $(STAMP)
	@for name in quality peers speed memory startup; do \
		echo "== $$name"; $(RUN) -m benchmarks.$$name || exit 1; done

docs: $(STAMP)
	$(RUN) -m docs.generate
	$(RUN) -m examples.draw --sheet docs/images/phantoms.png
	$(RUN) -m docs.pictures
