# make setup        fill .venv                  make test    check, then every test
# make demo         the example, read and shown make check   style and types
# make app          the example in the app
# make demo-train   the example, learnt         make docs    write the generated pages
# make bench        speed and quality             make faults  kill, fill, cut and race it
# make bench-data   what needs published data and weights, in ../shared
# Every target sets up what it needs on a fresh machine with Python >= 3.11; torch comes with those that train.

PYTHON ?= python3
VENV ?= .venv
RUN := $(VENV)/bin/python
STAMP := $(VENV)/.stamp
TRAIN := $(VENV)/.stamp-train
ALL := $(VENV)/.stamp-all
PIP := $(RUN) -m pip install --quiet --disable-pip-version-check --editable
OUT ?= out
JOBS ?= 2

.PHONY: setup demo app demo-train test check bench bench-data faults docs
.DELETE_ON_ERROR:

setup: $(STAMP)

$(STAMP): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; say which: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 1; }
	test -x $(RUN) || $(PYTHON) -m venv $(VENV)
	$(PIP) ".[annotate,dev]"
	touch $@

$(TRAIN): $(STAMP)
	$(PIP) ".[annotate,train,dev]"
	touch $@

$(ALL): $(STAMP)
	$(PIP) ".[annotate,train,spark,dicom,dev]"
	touch $@

# HEADLESS=1, or no terminal: the app is started, asked whether it is well, and ended.
demo: $(STAMP)
	@mkdir -p $(OUT)
	@$(RUN) -m nlp.extract examples/captions.csv --covid-column covid19 -o $(OUT)/labels.csv --html $(OUT)/captions.html
	@echo && echo "the captions with what was read: $(abspath $(OUT))/captions.html"
	@$(RUN) -m examples.open_app --db $(OUT)/labels.db $(if $(HEADLESS),--headless)

app: $(STAMP)
	@$(RUN) -m examples.open_app --db $(OUT)/labels.db $(if $(HEADLESS),--headless)

demo-train: $(TRAIN)
	@mkdir -p $(OUT)
	@$(RUN) -m nlp.extract examples/captions.csv --covid-column covid19 -o $(OUT)/labels.csv
	@echo && $(RUN) -m annotate.split $(OUT)/labels.csv -o $(OUT)/labelled.csv
	@echo && $(RUN) -m train.run $(OUT)/labelled.csv --images examples/images --out $(OUT)/demo --force \
		--backbone resnet18 --weights none --image-size 96 --epochs 12
	@echo && echo "open $(abspath $(OUT))/demo/report.html in a browser"

test: check
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n $(JOBS) --dist loadfile

check: $(ALL)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy

bench: $(ALL)
	@for name in quality peers speed memory startup data_path epoch bootstrap table2 attention split store rules desk spark; do \
		echo "== $$name"; $(RUN) -m benchmarks.$$name || exit 1; done

# Hours on a CPU. `benchmarks.out_of_distribution`, `predict` and `diagnose` stand apart: they ask a run of yours, --run.
bench-data: $(ALL)
	@for name in published frozen cxr audit; do \
		echo "== $$name"; $(RUN) -m benchmarks.$$name || exit 1; done

# Bounded: less than ten minutes on two free cores, since the load runs beside the rest.
faults: $(ALL)
	@export OMP_NUM_THREADS=1; $(RUN) -m benchmarks.faults --only load & load=$$!; \
		$(RUN) -m benchmarks.faults --only disk & disk=$$!; \
		$(RUN) -m benchmarks.faults --only extract writers race training checkpoint inputs; code=$$?; \
		wait $$load && wait $$disk && exit $$code

docs: $(ALL)
	$(RUN) -m docs.generate
	$(RUN) -m examples.draw --sheet docs/images/phantoms.png
	$(RUN) -m docs.pictures
	$(RUN) -m docs.app_pictures
