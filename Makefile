# Two commands matter on a fresh machine: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
KERNELS := $(VENV)/.kernels
NATIVE := hatch_build.py $(wildcard src/qwen3_tts/native/*.[ch])

.PHONY: demo test check format clean

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --upgrade pip
	$(BIN)/pip install -q torch==2.13.0 -c constraints.txt
	$(BIN)/pip install -q -e ".[server,test,dev,train]" -c constraints.txt
	@touch $@

# Installing compiles the kernels; after that a change of their sources does. Without a compiler pip
# fetches one for as long as it takes.
$(KERNELS): $(STAMP) $(NATIVE)
	$(if $(filter $(STAMP),$?),,$(BIN)/python hatch_build.py || $(BIN)/pip install -q --no-deps -e .)
	@touch $@

demo: $(KERNELS)  ## set up, then speak a sentence into hello.wav
	$(BIN)/python examples/hello.py hello.wav

test: $(KERNELS)  ## the whole test suite
	$(BIN)/python -m pytest

check: $(STAMP)  ## format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

clean:
	rm -rf $(VENV) build hello.wav src/qwen3_tts/native/_kernels.*
