# make demo   fuse the packaged clip and say where the result lies
# make test   lint, types and tests
# make bench  what the pipeline itself costs, in time and memory
# All set up what they need in $(VENV), from constraints.txt.

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
READER := docs/examples
PIP := PIP_CONSTRAINT=constraints.txt $(BIN)/python -m pip install --quiet --disable-pip-version-check

.PHONY: demo test lint types tests bench clean

demo: $(VENV)/.runtime
	$(BIN)/lumabraid demo -o demo-out

test: lint types tests

lint: $(VENV)/.dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: $(VENV)/.dev
	$(BIN)/mypy

tests: $(VENV)/.dev $(READER)/node_modules/.installed
	$(BIN)/pytest

# Where npm or the network is missing, this fails without harm: the test of the JavaScript reader says so and skips.
$(READER)/node_modules/.installed: $(READER)/package.json $(READER)/package-lock.json
	-npm ci --prefix $(READER) --ignore-scripts --no-audit --no-fund --fetch-retries=0 --fetch-timeout=10000 && touch $@

bench: $(VENV)/.dev
	$(BIN)/python -m benchmarks.overhead
	$(BIN)/python -m benchmarks.memory

$(VENV)/.runtime: pyproject.toml client/pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(PIP) -e ./client -e .
	touch $@

$(VENV)/.dev: $(VENV)/.runtime
	$(PIP) -e ./client -e '.[dev]'
	touch $@

clean:
	rm -rf $(VENV) $(READER)/node_modules demo-out .mypy_cache .pytest_cache .ruff_cache
