# Every target sets up what it needs in .venv; a stamp file says that it is done.
PYTHON ?= $(firstword $(foreach p,python3 python3.13 python3.12 python3.11,\
	$(shell $(p) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $(p))))
BIN := .venv/bin
RUN := PYTHONDONTWRITEBYTECODE= ORT_DISABLE_TELEMETRY=1 $(BIN)
PYTEST := $(RUN)/python -m pytest
K ?=
SELECT := $(if $(K),-k "$(K)")
STYLE = @$(BIN)/ruff format --check --quiet . && $(BIN)/ruff check --quiet .
TYPES = $(BIN)/mypy
ALL := SARDONYX_EFFORT=full $(PYTEST) -q
QUICK := $(if $(K),-k "$(K)",-m "not slow")
SPREAD := $(if $(K),,-n auto --maxprocesses 8 --dist worksteal)

.DEFAULT_GOAL := help
N ?= 100000
SEED ?= 0
SECONDS ?= 600
JOBS ?= 1
WIRE := sardonyx/protocol/wire
.PHONY: help demo serve test test-avx2 test-all notebooks clients mlserver check format bench bench-gate bench-serve sustain golden docs matrix tables site wheel stubs fuzz clean

help:  ## this list
	@grep -hE '^[a-z0-9-]+:.*##' $(MAKEFILE_LIST) | awk -F ':.*## *' '{printf "  make %-10s %s\n", $$1, $$2}'

$(BIN)/python:
	@test -n "$(PYTHON)" || { echo "Python 3.11 or newer is needed; name it: make PYTHON=/path/to/python3" >&2; exit 1; }
	@echo "setting up .venv with $(PYTHON)"
	@$(PYTHON) -m venv .venv

.venv/.demo: pyproject.toml | $(BIN)/python
	@echo "installing sardonyx and what the demo needs into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[demo,serve]'
	@touch $@

.venv/.dev: pyproject.toml | $(BIN)/python
	@echo "installing sardonyx and the tools of its developers into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@ .venv/.demo

.venv/.libraries: pyproject.toml | .venv/.dev
	@echo "installing libraries that import onnxruntime into .venv"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,libraries]'
	@touch $@

.venv/clients/.ready: | $(BIN)/python
	@echo "installing clients of other servers into .venv/clients: they want an older protobuf"
	@$(BIN)/python -m venv .venv/clients
	@.venv/clients/bin/python -m pip install --quiet --disable-pip-version-check \
		'tritonclient[http,grpc]>=2.60' 'kserve>=0.16' attrdict
	@touch $@

.venv/mlserver/.ready: | $(BIN)/python
	@echo "installing MLServer into .venv/mlserver, to be measured beside"
	@$(BIN)/python -m venv .venv/mlserver
	@.venv/mlserver/bin/python -m pip install --quiet --disable-pip-version-check 'mlserver>=1.7' -e .
	@touch $@

.venv/notebooks/.ready: pyproject.toml | $(BIN)/python
	@echo "installing what the notebooks need into .venv/notebooks: PyTorch, beside what developers have"
	@$(BIN)/python -m venv .venv/notebooks
	@.venv/notebooks/bin/python -m pip install --quiet --disable-pip-version-check -e '.[dev]' 'torch>=2.8'
	@touch $@

demo: .venv/.demo  ## read the printed lines of a photographed page with a real model, deploy it, ask it over REST
	@$(RUN)/python examples/read_text.py

serve: .venv/.demo  ## the same, and leave the model running: http://127.0.0.1:8000
	@$(RUN)/python examples/read_text.py --stay

test: .venv/.dev  ## what every change must pass: style, types and all quick tests (K=Softmax selects tests)
	$(if $(K),,$(STYLE))
	@$(if $(K),,$(TYPES) & types=$$!;) $(PYTEST) -q $(QUICK) $(SPREAD); tests=$$?; wait $$types && exit $$tests

test-avx2: .venv/.dev  ## quick tests of the engine as on a CPU without AVX-512, emulated if need be (SHORT=1: minutes)
	@$(RUN)/python -m tests.avx2 $(if $(SHORT),--short) $(SELECT)

test-all: .venv/.libraries  ## all real models, libraries and operator cases too (K= selects)
	@$(if $(K),$(ALL) $(SELECT),$(ALL) -m "not alone" -n 2 --dist worksteal; others=$$?; $(ALL) -m alone && exit $$others)

notebooks: .venv/notebooks/.ready  ## execute the notebooks of examples/, each from its first line to its last
	@PYTHONDONTWRITEBYTECODE= ORT_DISABLE_TELEMETRY=1 .venv/notebooks/bin/python -m pytest -q tests/api/test_notebooks.py

clients: .venv/clients/.ready  ## an environment of tritonclient and kserve, with which make test asks our server

mlserver: .venv/mlserver/.ready  ## an environment of MLServer, which make bench-serve measures if it is there

check: .venv/.dev  ## style, types, layers, sizes
	$(STYLE)
	@$(TYPES)
	@$(PYTEST) -q tests/arch

format: .venv/.dev  ## rewrite the sources in the house style
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: .venv/.dev  ## measure beside onnxruntime and rewrite docs/performance.md
	@$(RUN)/python benchmarks/gate.py
	@$(RUN)/python benchmarks/compare_ort.py --write
	@$(RUN)/python -m sardonyx.tools.ship
	@$(RUN)/python benchmarks/start.py --write

bench-gate: .venv/.dev  ## hold each kernel family to its recorded speed beside onnxruntime (WRITE=1 records anew)
	@$(RUN)/python benchmarks/gate.py $(if $(WRITE),--write)

bench-serve: .venv/.dev .venv/clients/.ready  ## measure serving beside FastAPI, kserve, and MLServer if make mlserver was called
	@$(RUN)/python -m pip install --quiet --disable-pip-version-check fastapi
	@.venv/clients/bin/python -m pip install --quiet --disable-pip-version-check -e .
	@$(RUN)/python benchmarks/serve.py

sustain: .venv/.dev  ## serve four fifths of the most for SECONDS=600 on a machine of two free cores; says whether it held
	@$(RUN)/python benchmarks/sustained.py --seconds $(SECONDS)

golden: .venv/.dev  ## rewrite the expected texts; then read the diff
	@$(PYTEST) -q $(QUICK) tests/unit --update-golden

stubs:  ## generate the protobuf messages of protocol/wire (needs grpcio-tools==1.73.1)
	@cd src && ../$(BIN)/python -m grpc_tools.protoc -I. --python_out=. --pyi_out=. $(WIRE)/*.proto
	@sed -i -e 's/^from google.protobuf import descriptor_pool as _descriptor_pool/from sardonyx.protocol.wire.pool import POOL as _POOL/' \
		-e 's/_descriptor_pool\.Default()/_POOL/' src/$(WIRE)/*_pb2.py

site: .venv/.dev  ## build all pages as a site in build/site, warnings are errors
	@$(RUN)/python -m mkdocs build --strict

docs: .venv/.dev  ## generate the tables of docs/ and run the tour
	@$(RUN)/python -m sardonyx.tools.schemas
	@$(RUN)/python -m sardonyx.tools.homes
	@$(RUN)/python -m sardonyx.tools.docs docs
	@$(RUN)/python docs/tour.py > /dev/null

matrix: .venv/.dev  ## convert models of every framework in its environment (some GB); rewrite docs/convert.md
	@$(RUN)/python -m tests.convert.matrix

tables: .venv/.dev  ## train on data sets beside scikit-learn's defaults; rewrite the figures of docs/guides/get_models.md
	@$(RUN)/python -m tests.train.beside

fuzz: .venv/.dev  ## run mutated models and feeds in guarded processes (N=100000 runs, SEED=0, JOBS=1)
	@$(RUN)/python -m tests.fuzz --runs $(N) --seed $(SEED) --jobs $(JOBS)

wheel: .venv/.dev  ## build a wheel, install it into a clean environment and run the README's five lines there
	@$(PYTEST) -q tests/package

clean:  ## remove .venv and every generated file
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
