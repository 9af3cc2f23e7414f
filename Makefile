# `make demo`, `make experiment` and `make test` install what they need into .venv once; see README.md.
PYTHON ?= python3
BIN := .venv/bin
# Some containers forbid Python to cache compiled modules. The tests start hundreds of processes and need this cache.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: demo experiment test check types style client docs clean lock sbom licences audit

demo: .venv/.demo
	$(BIN)/python -m examples.demo

experiment: .venv/.demo
	$(BIN)/python examples/experiment/run.py

test: check
	$(BIN)/python -m tests.support.chromium
	$(BIN)/python -m tests.support.rabbitmq
	$(BIN)/pytest -n 2 --dist loadfile --no-loadscope-reorder

check: .venv/.test
	$(MAKE) --no-print-directory --jobs=2 --output-sync types style

types:
	$(BIN)/mypy

style:
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports --no-logo
	$(BIN)/python -m tests.support.sync_client --check
	$(BIN)/python -m docs.generate --check
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Generate the synchronous client from the async client.
client: .venv/.test
	$(BIN)/python -m tests.support.sync_client

# Fill the generated blocks of the reference from the code, and build the site into site/.
docs: .venv/.test
	$(BIN)/python -m docs.generate
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Pin every version that the images install, except those of CUDA, which torch pins itself. A torch for CPUs that is
# installed here has the local version +cpu, which sed removes.
lock: .venv/.supply
	$(BIN)/pip-compile --quiet --no-header --strip-extras --no-annotate --no-emit-index-url --no-emit-trusted-host \
		--no-emit-find-links --upgrade --extra worker --extra formats --extra clouds --extra traces \
		--output-file deploy/constraints.txt pyproject.toml
	sed -i 's/+cpu$$//' deploy/constraints.txt

sbom: .venv-image/.filled .venv/.supply
	$(BIN)/cyclonedx-py environment .venv-image --pyproject pyproject.toml --output-file sbom.json

licences: .venv-image/.filled .venv/.supply
	$(BIN)/pip-licenses --python .venv-image/bin/python --with-urls --order license

# Exits with 1 if a version has a known vulnerability; docs/operations.md describes what to do.
audit: .venv/.supply
	$(BIN)/pip-audit --requirement deploy/constraints.txt --no-deps --disable-pip

clean:
	rm -rf .venv .venv-image .demo .experiment site sbom.json

.venv/bin/python:
	$(PYTHON) -m venv .venv

# One command installs both extras, so that pip resolves torch and torchvision together.
.venv/.demo: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[embedded,worker]'
	touch $@

.venv/.test: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[embedded,worker,formats,clouds,traces,docs,test]'
	touch $@

.venv/.supply: pyproject.toml | .venv/bin/python
	$(BIN)/python -m pip install --disable-pip-version-check --quiet --editable '.[supply]'
	touch $@

# The packages of the worker image, which include all packages of the API image.
.venv-image/.filled: deploy/constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv-image
	.venv-image/bin/python -m pip install --disable-pip-version-check --quiet --constraint deploy/constraints.txt \
		'.[worker,formats,clouds,traces]'
	touch $@
