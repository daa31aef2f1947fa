# Every target makes .venv itself and starts at once when it is there. Paths are relative throughout, and programs
# are run as modules of .venv's python: both keep a checkout whose path has a space in it working.
#
#   make demo            trade a simulated market (ARGS="--duration 60")
#   make test            the test suite (ARGS="-k ledger")
#   make test-random     the test suite three times in other orders (ROUNDS=5)
#   make test-long       the long matrices too
#   make crash           kill it at 2,000 random instants and at every step of an order (INSTANTS=200)
#   make check           linters, types, import rules, generated files
#   make bench           figures, each next to a reference of the same run
#   make coverage        the test suite, with the lines and branches that no process of it ran
#   make dist            wheel and source archive, installed and run in a clean environment
#   make advisories      known vulnerabilities of what constraints.txt pins (asks the package index)
#   PYTHON=python3.13    the interpreter .venv is made with

SHELL := /bin/sh
.DEFAULT_GOAL := help
.SUFFIXES:

RUN := .venv/bin/python
STAMP := .venv/.installed
DEMO := $(RUN) -m thunes_cli demo
PYTHON ?=
ARGS ?=

# A checkout that was moved or copied, or whose interpreter went away, is installed again: installed paths are absolute.
STALE := $(shell test -e $(STAMP) && { test "$$(cat $(STAMP))" = "$$(pwd -P)" && test -x $(RUN) || echo stale; })
ifneq ($(STALE),)
$(shell rm -f $(STAMP))
endif

.PHONY: help demo test test-random test-long crash check generate bench coverage dist advisories clean

help:
	@sed -n 's/^#   //p' Makefile

demo: $(STAMP)
	@$(DEMO) $(ARGS)

# Four workers on two cores: much of the suite waits for processes.
test: $(STAMP)
	@$(RUN) -m pytest -n 4 -m "not long" $(ARGS)

# Every run has an order of its own; one that failed says which, and ARGS=--randomly-seed=... repeats it.
test-random: $(STAMP)
	@for round in $$(seq $(or $(ROUNDS),3)); do \
	  seed=$$(od -An -N4 -tu4 /dev/urandom | tr -d ' '); echo "--randomly-seed=$$seed"; \
	  $(RUN) -m pytest -n 4 -m "not long" --randomly-seed=$$seed $(ARGS) || exit; \
	done

test-long: $(STAMP)
	@$(RUN) -m pytest -n 2 $(ARGS)

# An hour on a quiet machine. The instants run in one process, so that what was hit, and how often, is printed.
crash: $(STAMP)
	@$(RUN) -m pytest -n 2 tests/crash --ignore tests/crash/test_random_instants.py
	@CRASH_INSTANTS=$(or $(INSTANTS),2000) $(RUN) -m pytest -n 0 -s tests/crash/test_random_instants.py

check: $(STAMP)
	$(RUN) -m ruff check .
	$(RUN) -m ruff format --check .
	$(RUN) -m mypy
	$(RUN) -c 'from importlinter.cli import lint_imports_command as lint; lint(["--no-logo"])'
	$(RUN) -m thunes_cli.cli.generate --check

generate: $(STAMP)
	$(RUN) -m thunes_cli.cli.generate

bench: $(STAMP)
	@$(RUN) -m benchmarks $(ARGS)

coverage: $(STAMP)
	@$(RUN) tests/measured_rooms.py build/coverage -n 4 -m "not long" $(ARGS)

# The wheel brings its manual page and its completions along; what it depends on is pinned here as everywhere.
dist: $(STAMP)
	rm -rf dist build
	$(RUN) -m build -q --outdir dist .
	$(RUN) -m venv build/clean
	build/clean/bin/python -m pip install -q --disable-pip-version-check -c constraints.txt dist/thunes-*.whl
	cd build && clean/bin/thunes demo --duration 15 --home demo && clean/bin/thunes --home demo audit validate --deep

advisories: $(STAMP)
	@test -x build/advisories/bin/pip-audit || { \
	  $(RUN) -m venv build/advisories && build/advisories/bin/python -m pip install -q pip-audit; }
	build/advisories/bin/pip-audit -r constraints.txt --no-deps --disable-pip

clean:
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# A .venv that runs is brought up to date, not made again. A name on PATH may be a shim that cannot run, so each
# candidate is asked for its version.
RECENT := -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null

$(STAMP): pyproject.toml constraints.txt
	@if test -n "$(PYTHON)"; then \
	  "$(PYTHON)" $(RECENT) || { echo 'PYTHON=$(PYTHON) is not Python 3.11 or newer' >&2; exit 1; }; found="$(PYTHON)"; \
	elif $(RUN) $(RECENT); then found=; \
	else \
	  for python in python3 python3.13 python3.12 python3.11; do \
	    if "$$python" $(RECENT); then found=$$python; break; fi; \
	  done; \
	  test -n "$$found" || { \
	    echo 'THUNES needs Python 3.11 or newer and found none; try: make PYTHON=/path/to/python3.11' >&2; exit 1; }; \
	fi; \
	test -z "$$found" || { \
	  echo "making .venv with $$found (once; a minute or two)"; \
	  "$$found" -m venv --clear .venv || { echo 'on Debian and Ubuntu: apt install python3-venv' >&2; exit 1; }; }
	@$(RUN) -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(RUN) -m compileall -q thunes_cli
	@pwd -P > $@
