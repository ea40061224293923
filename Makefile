# `make` says what there is.  All of it works on a Debian machine that has Rust and nothing else.

# Found also where a shell was started before Rust was installed.
export PATH := $(PATH):$(or $(CARGO_HOME),$(HOME)/.cargo)/bin
# A bare machine's locale is POSIX, and Elixir wants UTF-8.
export LC_ALL := C.UTF-8
export ELIXIR_ERL_OPTIONS := +fnu
# Cargo has its own idea of parallelism; the jobs of a make -j are not passed on.
unexport MAKEFLAGS

CARGO_FLAGS := --release --locked --workspace

.PHONY: help demo check test rust-linters format-test rust-lint rust-test kernel-test elixir-test dialyzer bench bench-extism guests kernel clean setup
.NOTPARALLEL:

help: ## list the commands
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' Makefile | expand -t 20

demo: setup ## build everything and run the demonstration
	MIX_ENV=dev mix run examples/demo/demo.exs

check: setup format-test rust-lint ## check formats, lint, and run the tests that are fast
	MIX_ENV=test mix compile --warnings-as-errors
	MIX_ENV=test mix test --warnings-as-errors --exclude slow

test: setup format-test rust-lint rust-test kernel-test elixir-test dialyzer ## check formats, lint, and run all tests

# Rust's smallest installation has neither.
rust-linters: setup
	@cargo fmt --version >/dev/null && cargo clippy --version >/dev/null || rustup component add rustfmt clippy

format-test: setup rust-linters
	mix format --check-formatted
	cargo fmt --all --check

rust-lint: setup rust-linters
	cargo clippy $(CARGO_FLAGS) --all-targets -- -D warnings

rust-test: setup ## the Rust part of the tests
	cargo test $(CARGO_FLAGS)
	VITRINE_FUSE=off cargo test $(CARGO_FLAGS) --test calls --test density --test linking --test reuse --test snapshot

# Exit status 3: this machine has no Rust for WebAssembly.
kernel-test: setup
	@kernel/build.sh --check || { [ $$? = 3 ] && echo "priv/kernel.wasm is not compared with its sources"; }

elixir-test: setup ## the Elixir part of the tests
	MIX_ENV=test mix compile --force --warnings-as-errors
	# Seven files are in circles: the codecs implement the behaviour of the module that names them.
	MIX_ENV=test mix xref graph --format cycles --fail-above 7
	MIX_ENV=test mix test --warnings-as-errors
	VITRINE_FUSE=off MIX_ENV=test mix test --warnings-as-errors --only fusing

# The modules of lib/ as the tests have them.
dialyzer: setup ## check types
	MIX_ENV=test mix compile --warnings-as-errors
	elixir tools/dialyzer.exs _build/test/lib/vitrine/ebin

bench: setup ## measure, beside what it replaces
	MIX_ENV=dev mix run bench/report.exs

bench-extism: setup ## measure the Rust core beside Extism, whose Wasmtime is compiled first
	bench/extism/run

guests: setup ## build the plugins of the tests
	test/guests/build.sh

kernel: setup ## build priv/kernel.wasm
	kernel/build.sh

clean: ## remove what was built
	rm -rf _build target priv/native tmp

setup:
	@tools/setup
