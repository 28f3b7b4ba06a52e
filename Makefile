# IntroEval: everything a developer or a user needs is one of these targets.
# What needs .venv makes it first (setup): a minute or two once, nothing afterwards.

PYTHON ?= python3
ARGS ?=
TEST_ARGS ?= -q
BENCH_ARGS ?=
TORTURE_ARGS ?=

# The libraries of NVIDIA's GPUs: 1 installs them, 0 does not; auto: where the driver is.
CUDA ?= auto

# 1 installs Ray with the service, for several machines (docs/cluster.md).
CLUSTER ?= 0

# Of the service: the program goes below PREFIX; DESTDIR stages it all for a package.
PREFIX ?= /usr/local
DESTDIR ?=

VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.done
CUDA_STAMP := $(VENV)/.cuda
SOURCES := daemon introeval_tui tests
TEST_MODELS := whisper-tiny.en whisper-base smollm2

# The tests start the program hundreds of times; without its bytecode each of them compiles it anew.
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help setup run test check coverage bench torture docs lint format lock clean install uninstall FORCE

# Scripts and the editable install hold absolute paths: a checkout that was moved or copied is set up anew.
ifneq ($(shell cat $(STAMP) 2>/dev/null),$(CURDIR))
$(STAMP): FORCE
endif

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:[^#]*## /\t/' | expand -t 10

setup: $(STAMP) $(if $(shell systemd/wants-cuda '$(CUDA)' && echo yes),$(CUDA_STAMP)) ## make .venv with the pinned packages

$(STAMP): requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "IntroEval needs Python 3.11 or newer; '$(PYTHON)' is not. Install one and say: make PYTHON=python3.11" >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
		echo "'$(PYTHON)' lacks its venv module. Install it (Debian, Ubuntu: apt-get install python3-venv) and try again." >&2; exit 1; }
	@echo "Setting up $(VENV): 300 MB of packages the first time, about a minute and a half."
	@$(PYTHON) -m venv $(if $(filter $(CURDIR),$(shell cat $(STAMP) 2>/dev/null)),,--clear) $(VENV)
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes -r requirements.txt
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --quiet --no-index --no-deps --no-build-isolation -e .
	@printf '%s' '$(CURDIR)' > $@

$(CUDA_STAMP): requirements-cuda.txt $(STAMP)
	@echo "Setting up CUDA's libraries: 670 MB to download the first time. Without them: make setup CUDA=0"
	@$(BIN)/python -m pip install --disable-pip-version-check --no-input --require-hashes -r requirements-cuda.txt
	@touch $@

run: setup ## evaluate what is in inbox/ (the sample clips, if it is empty); in a terminal, open the dashboard on it
	$(BIN)/introeval models pull
	$(BIN)/introeval samples
	$(BIN)/introeval run --once --dashboard $(ARGS)

test: setup ## run the tests (TEST_ARGS='-q -k intake')
	$(BIN)/introeval models pull $(TEST_MODELS)
	$(BIN)/python -m pytest $(TEST_ARGS)

check: lint ## the fast loop: lint, and the unit tests on all cores; under a minute on two
	$(BIN)/python -m pytest tests/unit -n logical --maxprocesses 8 --dist worksteal $(TEST_ARGS)

coverage: setup ## how much of each room the unit tests run (a minute and a half; information, no gate)
	$(BIN)/python -m pytest tests/unit -q -n logical --maxprocesses 8 --dist worksteal --cov --cov-report=
	$(BIN)/python -m tests.support.covered

bench: setup ## measure (BENCH_ARGS='--all', 'stt idle', '--json', '--against FILE')
	@$(BIN)/introeval models pull $(TEST_MODELS) >&2
	@$(BIN)/python -m tests.bench $(BENCH_ARGS)

torture: setup ## prove that nothing is lost or doubled, in half an hour (TORTURE_ARGS='--short', 'days --seed 7')
	@$(BIN)/python -m tests.torture $(TORTURE_ARGS)

docs: setup ## build the site into build/site
	$(BIN)/python -m sphinx -q -W --keep-going -b html -c docs . build/site
	@echo "the site: build/site/index.html"

lint: setup ## style, types and the rule of imports
	$(BIN)/ruff check $(SOURCES)
	$(BIN)/ruff format --check $(SOURCES)
	$(BIN)/mypy
	$(BIN)/lint-imports

format: setup ## put the code into its form
	$(BIN)/ruff check --fix $(SOURCES)
	$(BIN)/ruff format $(SOURCES)

lock: ## pin the requirements files anew from pyproject.toml, then set up again
	@tmp=$$(mktemp -d) && trap 'rm -rf "$$tmp"' EXIT && \
	$(PYTHON) -m venv "$$tmp/venv" && \
	"$$tmp/venv/bin/python" -m pip install --disable-pip-version-check --quiet uv && \
	compile() { env -u UV_FIND_LINKS -u UV_INDEX "$$tmp/venv/bin/uv" pip compile --quiet --universal --fork-strategy fewest \
		--python-version 3.11 --generate-hashes --no-header --no-annotate --no-emit-index-url --no-emit-find-links \
		--output-file "$$tmp/$$1" $$2 && \
	{ echo "# $$3, pinned and hashed, for Python 3.11 and later."; \
	  echo '# Made from pyproject.toml by "make lock"; do not edit.'; \
	  cat "$$tmp/$$1"; } > "$$1"; } && \
	compile requirements.txt "--upgrade --extra dev --group build pyproject.toml" "Every package of .venv" && \
	cp "$$tmp/requirements.txt" "$$tmp/requirements-run.txt" && \
	compile requirements-run.txt "--group build pyproject.toml" "Every package of the service" && \
	"$$tmp/venv/bin/python" -c 'import tomllib; [print(line) for line in \
		tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["cuda"]]' > "$$tmp/cuda.in" && \
	compile requirements-cuda.txt "--upgrade $$tmp/cuda.in" "The libraries of NVIDIA GPUs" && \
	"$$tmp/venv/bin/python" -c 'import tomllib; [print(line) for line in \
		tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]["cluster"]]' > "$$tmp/cluster.in" && \
	compile requirements-cluster.txt "-c requirements.txt $$tmp/cluster.in" "Ray, for machines that lend their GPU"
	@$(MAKE) --no-print-directory setup

install: ## install the service (as root; PREFIX=/usr/local, DESTDIR= for a staged one)
	@systemd/install --python '$(PYTHON)' --prefix '$(PREFIX)' --destdir '$(DESTDIR)' --cuda '$(CUDA)' --cluster '$(CLUSTER)'

uninstall: ## stop and remove the service; configuration, students' files and results stay
	@systemd/uninstall --prefix '$(PREFIX)' --destdir '$(DESTDIR)'

clean: ## remove what was built, except .venv and what the daemon wrote (var/, inbox/, outbox/)
	find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +
	rm -rf .coverage .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis build dist *.egg-info
