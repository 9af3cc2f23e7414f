# `make demo`, `make experiment` and `make test` install what they need into .venv, once; see README.md.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo experiment test check clean

demo: .venv/.demo
	$(BIN)/python -m examples.demo

experiment: .venv/.demo
	$(BIN)/python examples/experiment/run.py

test: check
	$(BIN)/pytest

check: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo

clean:
	rm -rf .venv .demo .experiment

.venv/bin/python:
	$(PYTHON) -m venv .venv

# torch is named before torchvision's own wish for it is heard: one command resolves both.
.venv/.demo: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[embedded,worker]'
	touch $@

.venv/.test: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[embedded,worker,formats,clouds,test]'
	touch $@
