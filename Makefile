# Needs nothing but GNU make and Python 3.11, 3.12 or 3.13. `make` alone lists what there is.
PYTHON := .venv/bin/python
PORT ?= 8501
WORKERS ?= 2
PIP_QUIET := $(if $(CI),--quiet,)
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
export BLOODCELL_PYTHON

.PHONY: help run app unit test test-slow lint docs wheel test-wheel bench measure clean

help:
	@echo "make run        set up .venv where needed and serve the app on http://127.0.0.1:$(PORT)"
	@echo "make unit       quick tests: no TensorFlow, Streamlit, child process or browser"
	@echo "make test       lint, types and every test but the slow ones"
	@echo "make test-slow  the tests that take more than a minute"
	@echo "make test-wheel build the package, install it in an empty folder and use it there"
	@echo "make lint       ruff, mypy and the import rules alone"
	@echo "make docs       write docs/commands.md from the command line's own help, and the site of docs/ to site/"
	@echo "make wheel      build the package into dist/"
	@echo "make bench      measure speed and memory, write docs/benchmarks.md"
	@echo "make measure    measure everything else, write docs/results.md (ALONE=\"RUN RUN RUN\": runs of specs/train-only.json)"
	@echo "make clean      remove .venv and caches; the workspace stays"

run app: .venv/app-installed
	@exec $(PYTHON) -m bloodcell app --no-browser --port $(PORT)

unit: .venv/tests-installed
	@PYTHONPATH=. $(PYTHON) -m pytest --unit -n $(WORKERS) --dist loadfile

test: lint chromium
	@PYTHONPATH=. $(PYTHON) -m pytest -m "not slow" -n $(WORKERS) --dist loadfile --no-loadscope-reorder

test-slow: .venv/tests-installed chromium
	@PYTHONPATH=. $(PYTHON) -m pytest -m slow

lint: .venv/tests-installed
	@$(PYTHON) -m ruff check .
	@$(PYTHON) -m ruff format --check .
	@$(PYTHON) -m mypy
	@PYTHONPATH=. .venv/bin/lint-imports --no-logo

docs: .venv/tests-installed
	@PYTHONPATH=. $(PYTHON) docs/make_commands.py
	@NO_MKDOCS_2_WARNING=1 $(PYTHON) -m mkdocs build --quiet --strict
	@echo "The site is in site/index.html"

wheel: .venv/tests-installed
	@$(PYTHON) -m pip wheel $(PIP_QUIET) --no-deps --wheel-dir dist .

test-wheel: .venv/tests-installed chromium
	@PYTHONPATH=. $(PYTHON) -m pytest tests/packaging

bench: .venv/tests-installed chromium
	@PYTHONPATH=. $(PYTHON) benchmarks/bench.py

measure: .venv/tests-installed
	@PYTHONPATH=. $(PYTHON) benchmarks/measure_detector.py
	@PYTHONPATH=. $(PYTHON) benchmarks/measure_large.py --threads 2
	@PYTHONPATH=. $(PYTHON) benchmarks/measure_finder.py
	@PYTHONPATH=. $(PYTHON) benchmarks/measure_segmentation.py
	@PYTHONPATH=. $(PYTHON) benchmarks/measure_status.py
	@PYTHONPATH=. $(PYTHON) benchmarks/measure_copies.py
	@PYTHONPATH=. $(PYTHON) benchmarks/measure_classifier.py --alone $(ALONE)
	@PYTHONPATH=. $(PYTHON) benchmarks/measure_imbalance.py --workers $(WORKERS)
	@PYTHONPATH=. $(PYTHON) benchmarks/measure_leaky_split.py --workers $(WORKERS)
	@PYTHONPATH=. $(PYTHON) benchmarks/measure_scaling.py
	@PYTHONPATH=. $(PYTHON) benchmarks/write_results.py

clean:
	rm -rf .venv .pytest_cache .ruff_cache .mypy_cache .import_linter_cache .hypothesis dist site

.PHONY: chromium
chromium:
	@sh .ci/install_chromium.sh

# The stamps are newer than the requirements only after pip has finished.
.venv/app-installed: requirements.txt | $(PYTHON)
	@echo "Installing what the app needs into .venv (about 1 GB; some minutes the first time) ..."
	@$(PYTHON) -m pip install $(PIP_QUIET) -r requirements.txt
	@touch $@

.venv/tests-installed: requirements.txt requirements-dev.txt | $(PYTHON)
	@echo "Installing what the app and its tests need into .venv (about 1 GB; some minutes the first time) ..."
	@$(PYTHON) -m pip install $(PIP_QUIET) -r requirements-dev.txt
	@touch .venv/app-installed $@

$(PYTHON):
	@sh .ci/make_venv.sh
