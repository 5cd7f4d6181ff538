# Everything happens in .venv, from Python 3.11+ alone; a stamp makes the next run quick.
PYTHON ?= python3
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt

.PHONY: demo test slow lint clean

demo: .venv/.installed
	$(BIN)/dollygrip samples demo/clips
	$(BIN)/dollygrip label demo/clips -o demo/run > /dev/null
	$(BIN)/dollygrip show demo/run
	$(BIN)/dollygrip compare demo/run --labels demo/clips/labels.csv -o demo/report
	@echo "How good they are, and each clip in pictures: open demo/report/report.html"
	@echo "Results: demo/run (results.jsonl, .csv, .parquet). Clips with their truth: demo/clips."
	@echo "Your own: $(BIN)/dollygrip label FOLDER -o RUN"

test: .venv/.installed-dev
	$(BIN)/python -m pytest -n 2

slow: .venv/.installed-dev
	$(BIN)/python -m pytest -n 2 -m slow

lint: .venv/.installed-dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

clean:
	rm -rf .venv build dist demo *.egg-info .*_cache .hypothesis
	find . -name __pycache__ -prune -exec rm -rf {} +

.venv/.installed: setup.cfg pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e .
	@touch $@

.venv/.installed-dev: setup.cfg pyproject.toml constraints.txt | .venv/bin/python
	$(INSTALL) -e ".[dev]"
	@touch $@ .venv/.installed

.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "dollygrip needs Python 3.11 or newer, and '$(PYTHON)' is not one:"; \
	  echo "install one and say which, e.g. make demo PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; \
	  echo "$(PYTHON) cannot make virtual environments (on Debian: apt install python3-venv)"; \
	  exit 1; }
