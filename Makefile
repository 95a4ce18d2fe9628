# The everyday commands; `make help` lists them.
#
# `demo` and `test` work from a fresh clone: as root they install what Debian has and the machine
# lacks, otherwise they print the one line that does. Build output, the broker's jars and the
# Python environment live in the cache directory, outside the clone.

cache := $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/millstream
export CARGO_TARGET_DIR ?= $(cache)/target

cargo_flags := --profile ci --locked
millstream := $(CARGO_TARGET_DIR)/ci/millstream

.PHONY: help demo test oracle-flink chaos check bench bless setup
.DEFAULT_GOAL := help

help: ## lists the targets
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | expand -t 16

demo: ## computes features of two weeks of real flights; needs no broker
	@.ci/packages build
	cargo build $(cargo_flags) --bin millstream
	$(millstream) demo

test: ## runs everything, against a real Kafka broker that it starts (or KAFKA_BOOTSTRAP)
	@.ci/packages build test
	.ci/test

oracle-flink: ## compares windows by event time with Flink SQL's; a minute, and the jars
	@.ci/packages build test
	cargo build $(cargo_flags) --bin millstream
	"$$(.ci/python)" tests/oracle/flink.py --binary $(millstream) --jars "$$(.ci/jars bench/peers/flink.pom.xml)" \
		--check docs/catalogue.md

chaos: ## hurts everything for hours and writes docs/chaos.md; goes on where it was interrupted
	@.ci/packages build test
	tests/chaos/run.sh all --report docs/chaos.md
	tests/chaos/run.sh bounds
	tests/chaos/run.sh report --report docs/chaos.md

check: ## formatting, lints as errors, documentation, dependencies
	cargo fmt --check
	cargo clippy $(cargo_flags) --all-targets -- -D warnings
	RUSTDOCFLAGS="-D warnings" cargo doc $(cargo_flags) --no-deps
	@if cargo deny --version >/dev/null 2>&1; then cargo deny --locked check; \
	else echo "cargo-deny is not installed: deny.toml was not checked"; fi

bench: ## measures speed for hours and writes docs/benchmark.md
	@.ci/packages build test
	bench/run.sh --page

bless: ## accepts new golden output; review it with git diff
	MILLSTREAM_BLESS=1 INSTA_UPDATE=always INSTA_FORCE_PASS=1 cargo test $(cargo_flags)

setup: ## installs the packages that demo and test need
	@.ci/packages build test
