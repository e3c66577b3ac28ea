# Everything a fresh machine with Python 3.11+ and make needs: `make demo`, `make test`.
PYTHON ?= python3
UV_VERSION := 0.13.9
VENV := .venv
BIN := $(VENV)/bin
SDK_BIN := .venv-sdk/bin
SDK2_BIN := .venv-sdk2/bin
UV := $(BIN)/uv pip install --quiet --compile-bytecode

.PHONY: demo test lint types docs bench golden setup sdk inference toolkit sdk2 slow unit clean lock

setup: $(VENV)/.done

$(VENV)/.done: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "sagewright needs Python 3.11 or newer")'
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	$(UV) --python $(BIN)/python --constraint constraints.txt --editable '.[local,dev]'
	mkdir -p build/types/sagewright
	for folder in compiler schemas steps pipelines; do ln -sfn ../../../$$folder build/types/sagewright/$$folder; done
	touch $@

# The SageMaker SDK, the oracle of the differential tests: 1 GB, so in a place of its own.
sdk: .venv-sdk/.done

.venv-sdk/.done: $(VENV)/.done constraints-sdk.txt
	test -x $(SDK_BIN)/python || $(PYTHON) -m venv .venv-sdk
	$(UV) --python $(SDK_BIN)/python --requirement constraints-sdk.txt
	touch $@

# SDK 2.257, whose script mode is ours: for the tests marked slow, beside `make test`.
sdk2: .venv-sdk2/.done

.venv-sdk2/.done: $(VENV)/.done constraints-sdk2.txt
	test -x $(SDK2_BIN)/python || $(PYTHON) -m venv .venv-sdk2
	$(UV) --python $(SDK2_BIN)/python --requirement constraints-sdk2.txt
	touch $@

# AWS's inference toolkit, whose answers our model server must give.
inference: .venv-inference/.done

.venv-inference/.done: $(VENV)/.done constraints-inference.txt
	test -x .venv-inference/bin/python || $(PYTHON) -m venv .venv-inference
	$(UV) --python .venv-inference/bin/python --requirement constraints-inference.txt
	touch $@

# AWS's training toolkit, for whose package a C compiler is needed: without one its tests are skipped.
toolkit: .venv-toolkit/.done

.venv-toolkit/.done: $(VENV)/.done constraints-toolkit.txt
	test -x .venv-toolkit/bin/python || $(PYTHON) -m venv .venv-toolkit
	$(UV) --python .venv-toolkit/bin/python --requirement constraints-toolkit.txt \
		|| echo 'sagemaker-training could not be built: its tests will be skipped'
	touch $@

demo: setup
	$(BIN)/python tools/demo.py

test: setup sdk inference toolkit lint types
	$(BIN)/python -m pytest -n 2 --dist loadgroup
	$(BIN)/sagewright check --strict
	$(BIN)/sagewright compile --output build/ci

unit: setup
	$(BIN)/python -m pytest tests/unit

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

types: setup
	$(BIN)/basedpyright

docs: setup
	$(BIN)/python tools/generate_docs.py

golden: setup
	$(BIN)/python -m pytest tests/unit --update-golden

slow: setup sdk2
	$(BIN)/python -m pytest -m slow

bench: setup sdk
	$(BIN)/python -m tests.benchmarks

lock: setup
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --extra local --extra dev pyproject.toml --output-file constraints.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --extra sdk pyproject.toml --output-file constraints-sdk.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --extra sdk2 pyproject.toml --output-file constraints-sdk2.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --extra inference pyproject.toml --output-file constraints-inference.txt
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --no-header --no-emit-index-url --extra toolkit pyproject.toml --output-file constraints-toolkit.txt

clean:
	rm -rf $(VENV) .venv-sdk .venv-sdk2 .venv-inference .venv-toolkit build
