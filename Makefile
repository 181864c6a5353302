# `make test` installs what the tests need into .cache/ and runs every stage; `make help` lists the rest.
# Nothing is installed outside the checkout, unless system tools are missing and CI=true or INSTALL=1 says so.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
.DEFAULT_GOAL := help

# The order of `make test`: what fails fast comes first.
STAGES := setup fmt clippy core-pure rust docs fuzz-build bench-build cli c go swift python kv e2e

# The Python module needs its interpreter to link; `make python` builds and tests it.
WORKSPACE := --workspace --exclude anyclaude-python
VENV := .cache/venv
RELEASE := $(or $(CARGO_TARGET_DIR),$(CURDIR)/target)/release
PYTEST = $(VENV)/tests/bin/python -m pytest

.PHONY: help test $(STAGES) system setup-tests ffi install uninstall prefix bench-ffi wheel wheel-installed soak bench bench-python embedded bench-embedded bench-kv clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "  %-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

test: ## everything, with a table of times at the end
	@MAKE=$(MAKE) tests/stages.sh $(STAGES)

system:
	@tests/setup/system.sh

setup: ## install Claude Code, the real backends, the tiny model and chat templates into .cache/
	@tests/setup/system.sh clients
	@tests/setup/claude.sh
	@tests/setup/venv.sh tests mlx vllm-mlx llama go
	@tests/setup/swift.sh
	@tests/setup/npm.sh
	@tests/setup/model.sh
	@tests/setup/templates.sh

setup-tests: system
	@tests/setup/venv.sh tests

fmt: ## rustfmt, on tracked and new files
	@files=$$(git ls-files --cached --others --exclude-standard '*.rs'); \
	test -n "$$files" || { echo 'fmt: no Rust files found'; exit 1; }; \
	rustfmt --edition 2024 --check $$files

clippy: ## clippy, warnings are errors
	cargo clippy $(WORKSPACE) --all-targets -- -D warnings

core-pure: ## the core alone, without the proxy half
	cargo test -p anyclaude-core --no-default-features

rust: ## all Rust tests
	cargo test $(WORKSPACE)

docs: ## the documentation, warnings are errors
	RUSTDOCFLAGS=-Dwarnings cargo doc $(WORKSPACE) --no-deps

fuzz-build: ## the fuzz targets compile
	cargo build --manifest-path core/fuzz/Cargo.toml

bench-build: ## the benches compile
	@ls core/benches/*.rs > /dev/null # without any, cargo would be content
	cargo bench --no-run -p anyclaude-core

cli: ## the release binary
	cargo build --release -p anyclaude

# By pip and from the source distribution, as an installer without a wheel for its platform makes it: what the
# sdist lacks is missing here, too. Only what cargo has built already is taken from the checkout; the files of an
# sdist are as old as its format, and cargo would take what it built of their elders for fresh, hence -m.
wheel: setup-tests ## build the wheel into .cache/wheel
	rm -rf .cache/wheel .cache/sdist
	$(VENV)/tests/bin/maturin sdist --manifest-path python/Cargo.toml --out .cache/sdist
	tar -xzmf .cache/sdist/*.tar.gz -C .cache/sdist
	CARGO_TARGET_DIR=$(CURDIR)/target $(VENV)/tests/bin/pip wheel --quiet --disable-pip-version-check --no-deps \
		--wheel-dir .cache/wheel .cache/sdist/anyclaude-*/
	tests/setup/embedded.sh stamp

ffi: ## the C library
	cargo build --release -p anyclaude-ffi

# For packagers: PREFIX, LIBDIR and INCLUDEDIR are where it will be, DESTDIR is where it is put now.
install: ffi ## the C library into PREFIX (default /usr/local): libraries, header, pkg-config files, module map
	ffi/install.sh install $(RELEASE)

uninstall: ## the opposite
	ffi/install.sh uninstall $(RELEASE)

prefix: ffi
	@PREFIX=$(CURDIR)/.cache/prefix DESTDIR= LIBDIR= INCLUDEDIR= ffi/install.sh install $(RELEASE)

c: prefix ## the installed C library, linked in every way, and examples/c (the C tests are among the Rust tests)
	tests/ffi/install.sh $(RELEASE)

go: prefix ## examples/go
	tests/setup/venv.sh go
	tests/ffi/go.sh

swift: prefix ## examples/swift
	tests/setup/swift.sh
	tests/ffi/swift.sh

# The wheel is installed where nothing else of ours is, as a user's would be.
wheel-installed: wheel
	rm -rf $(VENV)/wheel
	tests/setup/venv.sh wheel
	$(VENV)/wheel/bin/pip install --quiet --disable-pip-version-check --no-deps .cache/wheel/*.whl

python: wheel-installed ## install the wheel in a fresh environment, run tests/py and the command line's cases on it
	tests/setup/npm.sh
	tests/setup/templates.sh
	$(VENV)/wheel/bin/python -m pytest tests/py
	ANYCLAUDE_PROGRAM=$(CURDIR)/$(VENV)/wheel/bin/anyclaude cargo test -p anyclaude --test cli

# The real servers with anyclaude in their Python; alone they are as they were.
embedded: setup
	@tests/setup/embedded.sh current || $(MAKE) wheel
	@tests/setup/embedded.sh install mlx vllm-mlx

kv: embedded ## the prefix cache on real KV states, with both versions of mlx-lm
	$(VENV)/mlx/bin/python -m pytest tests/kv
	$(VENV)/vllm-mlx/bin/python -m pytest tests/kv

e2e: setup cli embedded ## real clients and real backends through the proxy, and with anyclaude in them
	tests/e2e/isolate.py $(PYTEST) tests/e2e -m "not soak" $(ARGS)

soak: setup-tests cli wheel-installed embedded ## a long run under load (SOAK_SECONDS, default 600), many conversions in Python, many KV states
	CONVERSIONS=100000 $(VENV)/wheel/bin/python -m pytest tests/py/test_growth.py
	tests/e2e/isolate.py $(PYTEST) tests/e2e/test_soak.py -m soak $(ARGS)
	KV_TOKENS=200 KV_REQUESTS=10000 $(VENV)/mlx/bin/python -m pytest tests/kv/test_same_tokens.py tests/kv/test_growth.py \
		-o timeout=3600
	KV_TOKENS=200 $(VENV)/vllm-mlx/bin/python -m pytest tests/kv/test_vllm_mlx.py -k says_the_same -o timeout=3600
	KV_SESSIONS=10000 tests/e2e/isolate.py $(PYTEST) tests/e2e/test_kv_growth.py

bench: ## run the benches
	cargo bench -p anyclaude-core

bench-python: wheel-installed ## what crossing into Python costs: sizes, import, calls a second
	$(VENV)/wheel/bin/python tests/bench/borders.py

bench-ffi: prefix ## calls a second across the C border, and the sizes of the libraries
	tests/bench/ffi.sh

bench-embedded: wheel-installed ## what the Messages API costs inside a server, and as a proxy before it
	$(VENV)/wheel/bin/python tests/bench/embedded.py

# For a model of your own: ARGS="--server vllm-mlx-batching --model PATH --tokens 8000", see tests/bench/kv.py.
bench-kv: cli embedded ## what the prefix cache does inside a server, beside the server's own (ARGS)
	tests/bench/kv.py $(ARGS)

clean: ## remove what was built and installed
	rm -rf .cache target core/fuzz/target
