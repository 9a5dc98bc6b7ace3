# One command each; every target makes the virtual environment it needs in .venv.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# As --no-compile: bytecode is then written where a module is first imported.
PIP_FLAGS ?=
# One thread for each worker: the workers share the cores. A worker that a test takes down stays down:
# another one would only be given the same test.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n auto --maxprocesses 4 --max-worker-restart 0
# As --durations=40.
PYTEST_FLAGS ?=
# The versions that CI tests with; torch as a CPU build.
LOCK := .ci/lock.txt

.PHONY: demo test test-all test-slow lint types docs bench bench-peer bench-services wheel release lock clean

demo: $(VENV)/installed
	rm -rf demo
	$(BIN)/zkwm demo --directory demo

# What a change must pass: a real test of every package in minutes. `make test-all` is everything.
test: $(VENV)/installed
	$(PYTEST) --dist loadfile $(PYTEST_FLAGS) -m "not slow and not data and not gpu"

test-all: test test-slow

# Few tests of a minute each: a worker that has none left takes half of another one's.
test-slow: $(VENV)/installed
	$(PYTEST) --dist worksteal $(PYTEST_FLAGS) -m "slow or data or gpu"

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/installed
	$(BIN)/mypy

# The documentation as a site in site/: README, docs, SPEC and its chapters.
docs: $(VENV)/installed
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

bench: $(VENV)/installed
	$(BIN)/python benchmarks/commitment.py
	$(BIN)/python benchmarks/opening.py
	$(BIN)/python benchmarks/command_line.py
	$(BIN)/python benchmarks/embedding.py
	$(BIN)/python benchmarks/embedding.py --figure robust --epochs 16 --repeats 2
	$(BIN)/python benchmarks/argument.py --network dense --json
	$(BIN)/python benchmarks/argument.py --network lenet5 --json
	$(BIN)/python benchmarks/argument.py --network lenet5 --triggers 1000 --json
	$(BIN)/python benchmarks/argument.py --network cifar --json
	$(BIN)/python benchmarks/fraction_tree.py --network resnet18 --triggers 10
	$(BIN)/python benchmarks/argument_first_call.py
	$(BIN)/python benchmarks/argument_laws.py
	$(BIN)/python benchmarks/marketplace.py
	$(BIN)/python benchmarks/marketplace.py --kill 45
	$(BIN)/python benchmarks/marketplace.py --buyer

# Beside the peers ezkl and JSTprove from PyPI, in environments of their own: 35 minutes, 12 GiB.
bench-peer: $(VENV)/installed
	$(BIN)/python benchmarks/peers.py

# The adapters for endpoints beside MLServer, Triton and TorchServe from PyPI: 2.2 GiB, and Java 17.
bench-services: $(VENV)/installed
	$(BIN)/python benchmarks/services.py

wheel: $(VENV)/installed
	rm -rf dist
	$(BIN)/python -m build --wheel --no-isolation
	$(BIN)/check-wheel-contents dist/*.whl

# Source and wheel that anybody can build again bit for bit from the same commit, and their SBOM.
release: $(VENV)/installed
	$(BIN)/python .ci/release.py

# After a change of dependencies: install the newest that pyproject.toml allows, and write them down.
lock:
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --editable '.[dev]' torch==2.13.0
	$(BIN)/python -m pip freeze --exclude-editable | sed s/+cpu// > $(LOCK)

clean:
	rm -rf $(VENV) .venv-ezkl .venv-jstprove dist demo site .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/installed: pyproject.toml $(LOCK) hatch_build.py $(wildcard protocols/c_kernels/*)
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet $(PIP_FLAGS) --constraint $(LOCK) --editable '.[dev]'
	touch $@
