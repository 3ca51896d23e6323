# Everything is built into .venv and .cache at the root (and cargo's native/target).
# Stamp files make a second call quick; `make clean` forgets them all.

.DEFAULT_GOAL := help
# One thing at a time, but for what `prepare` makes.
ifneq ($(MAKECMDGOALS),prepare)
.NOTPARALLEL:
endif
.DELETE_ON_ERROR:
SHELL := /bin/bash

PYTHON ?= python3
BIN := .venv/bin
CHECK := tools/check.sh
CARGO := cargo
MANIFEST := --manifest-path native/Cargo.toml
MATURIN_FLAGS := --release --locked
# What comes with this repository beside fapilog: Python and data alone.
DISTRIBUTIONS := plugins/compliance instrumentation/fastapi exporters/elasticsearch exporters/kafka exporters/splunk exporters/syslog
NULL_SERVER := benchmarks/null_server
PURE_CORE := --locked --no-default-features --features zstd
MODEL_CHECK := $(CARGO) test $(MANIFEST) $(PURE_CORE),shuttle --test model_check
# A shipped wheel names crates in its panic messages, not the folders of whoever built it.
REMAP := --remap-path-prefix=$(or $(CARGO_HOME),$(HOME)/.cargo)/registry/src=crates
# Two workers per core, because many tests wait for processes and receivers. No test needs another one of its file;
# who is done takes tests over from others, so that no long file runs alone at the end.
PYTEST_WORKERS ?= --numprocesses $(shell expr 2 '*' `getconf _NPROCESSORS_ONLN`) --maxprocesses 8 --dist worksteal
CARGO_DENY_VERSION := 0.20.2
CARGO_DENY := .cache/tools/.cargo-deny-$(CARGO_DENY_VERSION)
CARGO_FUZZ_VERSION := 0.13.2
CARGO_FUZZ := .cache/tools/.cargo-fuzz-$(CARGO_FUZZ_VERSION)
FUZZ_TARGETS = $(basename $(notdir $(wildcard native/fuzz/fuzz_targets/*.rs)))
# Per target.
FUZZ_SECONDS ?= 60

# One interpreter for PyO3's build script, whoever calls cargo.
export PYO3_PYTHON := $(CURDIR)/$(BIN)/python
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# Images often set it. Without compiled files, four workers would rewrite the asserts of every test file each time.
export PYTHONDONTWRITEBYTECODE :=

RUST_SOURCES := $(shell find native \( -path native/target -o -path native/fuzz \) -prune -o -name '*.rs' -print) native/Cargo.toml native/Cargo.lock

.PHONY: help setup build prepare compile-tests demo test lint type deny test-rust test-python test-sdk-matrix test-upstream bench redaction-report soak outage model-check test-faults kill-rounds fastapi-load fuzz wheels docs clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: .venv/.setup ## Make .venv with every dependency; add missing Rust components

build: .venv/.build ## Compile the native module (release) and install fapilog into .venv, editable

# pip and the last minutes of a release build use one core each; the others compile what tests need.
prepare: .venv/.build $(CARGO_DENY) compile-tests

compile-tests:
	@$(CHECK) run "compile the core's tests" -- $(CARGO) test $(MANIFEST) $(PURE_CORE) --no-run
	@$(CHECK) run "compile the model check" -- $(MODEL_CHECK) --no-run

demo: build ## Build, then run the main job: an application, a receiver and the ledger
	@$(BIN)/fapilog demo

test: ## Set everything up and pass every check (this is what CI runs)
	@tools/toolchain.sh $(PYTHON)
	@$(MAKE) --no-print-directory --jobs 2 prepare
	@$(CHECK) begin
	@$(MAKE) --no-print-directory lint type deny test-rust test-python test-sdk-matrix test-upstream
	@$(CHECK) end

# Clippy reads tests and examples once: they know neither Python nor shuttle, but for the model check.
lint: setup ## Formatting, clippy, ruff, bandit, import arrows
	@$(CHECK) run "cargo fmt" -- $(CARGO) fmt $(MANIFEST) --check
	@$(CHECK) run "clippy, pure core" -- $(CARGO) clippy $(MANIFEST) $(PURE_CORE) --all-targets -- -D warnings
	@$(CHECK) run "clippy, with Python" -- $(CARGO) clippy $(MANIFEST) --locked --features zstd --lib -- -D warnings
	@$(CHECK) run "cargo fmt, benchmarks" -- $(CARGO) fmt --manifest-path $(NULL_SERVER)/Cargo.toml --check
	@$(CHECK) run "clippy, benchmarks" -- $(CARGO) clippy --manifest-path $(NULL_SERVER)/Cargo.toml --locked --target-dir .cache/null_server -- -D warnings
	@$(CHECK) run "clippy, orders of threads" -- $(CARGO) clippy $(MANIFEST) $(PURE_CORE),shuttle --lib --test model_check -- -D warnings
	@$(CHECK) run "ruff check" -- $(BIN)/ruff check .
	@$(CHECK) run "ruff format" -- $(BIN)/ruff format --check .
	@$(CHECK) run "bandit" -- $(BIN)/bandit --quiet --configfile pyproject.toml --recursive fapilog instrumentation exporters examples/plugins
	@$(CHECK) run "import-linter" -- $(BIN)/lint-imports --cache-dir .cache/import_linter

type: build ## mypy strict, and the stub against the compiled module
	@$(CHECK) run "mypy" -- $(BIN)/mypy
	@$(CHECK) run "stubtest" -- $(BIN)/python -m mypy.stubtest fapilog._native --mypy-config-file pyproject.toml --allowlist tools/stubtest_allowlist.txt

deny: $(CARGO_DENY) ## Licences, bans and sources of the crates; advisories when their database can be had
	@$(CHECK) run "cargo-deny" -- tools/cargo_deny.sh

test-rust: setup ## cargo test of the pure core (no interpreter)
	@$(CHECK) run "cargo test" -- $(CARGO) test $(MANIFEST) $(PURE_CORE)
	@$(CHECK) run "orders of threads" -- $(MODEL_CHECK)

MODEL_CHECK_RUNS ?= 50000
DURABILITY_MODEL_CASES ?= 20000
# Runs for long; `make test` compiles for longer than it runs.
OPTIMISED := --config profile.dev.package.fapilog-native.opt-level=1

model-check: setup ## Append, seal, claim and settle in MODEL_CHECK_RUNS orders of threads; processes that die in DURABILITY_MODEL_CASES ways
	@$(CHECK) run "orders of threads" -- env MODEL_CHECK_RUNS=$(MODEL_CHECK_RUNS) $(MODEL_CHECK) $(OPTIMISED)
	@$(CHECK) run "durability" -- env DURABILITY_MODEL_CASES=$(DURABILITY_MODEL_CASES) $(CARGO) test $(MANIFEST) $(PURE_CORE) $(OPTIMISED) --test ring durability_model

test-python: build ## pytest with coverage
	@$(BIN)/coverage erase
	@$(CHECK) run "pytest" -- $(BIN)/coverage run -m pytest $(PYTEST_WORKERS) --junitxml=.cache/pytest.xml
	@$(BIN)/coverage combine --quiet
	@$(CHECK) run "coverage" -- $(BIN)/coverage report

test-sdk-matrix: build ## The tests that face OpenTelemetry, on its oldest and its newest release
	@$(CHECK) run "OpenTelemetry, oldest release" -- $(BIN)/python tools/sdk_matrix.py floor
	@$(CHECK) run "OpenTelemetry, newest release" -- $(BIN)/python tools/sdk_matrix.py newest

test-upstream: build ## OpenTelemetry's own tests for logs, against our classes
	@$(CHECK) run "upstream's tests" -- $(BIN)/python -m tools.upstream.run

bench: build .venv/.bench ## Run the benchmarks beside their peers
	@$(BIN)/python -m benchmarks.run

redaction-report: build ## Score the scanner on the labelled corpus: recall by type, precision, clean records altered, cost of a record
	@$(BIN)/python -m tools.redaction_report --time $(CORPUS)

test-faults: build ## Every fault on the wire, on every way, judged by the ledger and by what arrived
	@$(CHECK) run "faults" -- $(BIN)/python -m pytest $(PYTEST_WORKERS) -m "long or not long" tests/integration/faults

kill-rounds: build ## Kill a thousand processes while they log and recover; nothing that a call returned from may be missing
	@$(BIN)/python -m pytest -m long -s tests/integration/test_kill_rounds.py

fastapi-load: build ## Load uvicorn, gunicorn and hypercorn with mixed requests and end them by SIGTERM; nothing may be lost or mixed up
	@$(BIN)/python -m pytest -m long -s tests/integration/test_fastapi_servers.py

# Ten minutes at 200,000 records per second, as the goals say; a slower machine says what it reached.
SOAK ?= --seconds 600 --rate 200000

soak: build ## Log for ten minutes to a receiver that flaps; fails if memory grows or a record is missing
	$(BIN)/python -m tests.integration.faults.soak $(SOAK)

# Half an hour of a service that logs 2,000 records per second.
OUTAGE ?= --records 3600000

outage: build ## The collector away for half an hour, compressed: the spool grows, drains, and nothing is lost
	$(BIN)/python -m tests.integration.faults.outage $(OUTAGE)

fuzz: $(CARGO_FUZZ) ## Each fuzz target for FUZZ_SECONDS under libFuzzer; needs a nightly toolchain
	@for target in $(FUZZ_TARGETS); do \
	  $(CHECK) run "fuzz $$target" -- tools/fuzz.sh $$target $(FUZZ_SECONDS) || exit 1; \
	done

wheels: setup ## Build sdist and wheel into dist/, then smoke-test the wheel in an empty environment
	@rm -rf dist
	RUSTFLAGS="$(RUSTFLAGS) $(REMAP)" $(BIN)/maturin build $(MATURIN_FLAGS) --sdist --out dist
	$(BIN)/python -m pip wheel --quiet --no-deps --no-build-isolation --wheel-dir dist $(DISTRIBUTIONS)
	@tools/smoke_wheel.sh $(BIN)/python dist

docs: setup ## Reference of the Rust core into native/target/doc; broken links fail
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(MANIFEST) --locked --no-deps --no-default-features --features zstd

clean: ## Remove everything that was built
	rm -rf .venv .cache dist build native/target fapilog/_native*.so .coverage*
	rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache

# Python compiles what is imported, a part of what is installed.
.venv/.setup: pyproject.toml $(addsuffix /pyproject.toml,$(DISTRIBUTIONS)) tools/toolchain.sh tools/requirements.py
	@tools/toolchain.sh $(PYTHON)
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python tools/requirements.py > .venv/requirements.txt
	$(BIN)/python -m pip install --quiet --no-compile --requirement .venv/requirements.txt --group test --group check
	@touch $@

.venv/.build: .venv/.setup $(RUST_SOURCES)
	PIP_QUIET=1 $(BIN)/maturin develop $(MATURIN_FLAGS)
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation $(addprefix --editable ,$(DISTRIBUTIONS))
	@touch $@

.venv/.bench: .venv/.setup
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

# It runs for a second: not worth optimising.
$(CARGO_DENY):
	@echo "Compiling cargo-deny $(CARGO_DENY_VERSION), once: one to two minutes"
	CARGO_PROFILE_DEV_DEBUG=0 $(CARGO) install cargo-deny --debug --quiet --locked --version $(CARGO_DENY_VERSION) --root .cache/tools
	@touch $@

$(CARGO_FUZZ):
	@echo "Compiling cargo-fuzz $(CARGO_FUZZ_VERSION), once: about a minute"
	$(CARGO) install cargo-fuzz --quiet --locked --version $(CARGO_FUZZ_VERSION) --root .cache/tools
	@touch $@
