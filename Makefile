# make demo: the main job against the embedded sandbox.   make test, make lint: what CI runs.
# make docs: the pages of docs/ as a site that needs no network, in build/docs, and a man page in build/docs/man.
PYTHON ?= python3
BIN := .venv/bin
# Where no bytecode is kept, each of the hundreds of commands that the tests start is compiled anew.
export PYTHONDONTWRITEBYTECODE =

# Tests that watch the clock, or move a browser: little else is to run beside them.
# The longest are first, so that none of them is left alone at the end.
QUIET := tests/e2e/test_interruption.py tests/e2e/test_pauses.py tests/e2e/test_pace.py tests/crash/test_signals.py tests/browser \
	tests/greenapi/test_deadlines.py tests/test_calls.py
# Containers, a real systemd, and environments that pip fills: .ci/run has them beside something else.
APART := tests/test_installation.py

.PHONY: demo test lint format docs bench clean

demo: .venv/demo
	$(BIN)/dispatcher validate manifests
	$(BIN)/dispatcher plan manifests
	$(BIN)/dispatcher send --sandbox manifests

test: .venv/dev
	$(BIN)/python -m pytest -q -n 5 --dist loadfile --no-loadscope-reorder $(QUIET:%=--ignore %) $(APART:%=--ignore %)
	$(BIN)/python -m pytest -q -n 3 --dist loadfile --no-loadscope-reorder $(QUIET)

lint: .venv/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: .venv/dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

STRICT := --quiet --nitpicky --fail-on-warning
docs: .venv/dev
	$(BIN)/python -m sphinx $(STRICT) -b html -d build/doctrees docs build/docs
	$(BIN)/python -m sphinx $(STRICT) -b man -t man -d build/doctrees/man docs build/docs/man

bench: .venv/dev
	$(BIN)/python -m benchmarks.results

# Without ensurepip, venv fails and leaves half an environment, which would pass for one next time.
.venv/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("dispatcher needs Python 3.11 or newer, this is " + sys.version.split()[0] + ": make PYTHON=…" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv .venv || { rm -rf .venv; exit 1; }

.venv/demo: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[sandbox]'
	@touch $@

.venv/dev: .venv/bin/python pyproject.toml
	$(BIN)/python -m pip install -q --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/demo

clean:
	rm -rf .venv build dist *.egg-info
