# make help says what there is. CARGO_TARGET_DIR is respected; everything else that is made here
# stays under .local/ (or where .local/servers points).

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
export CARGO_TERM_COLOR ?= auto

nextest := $(shell command -v cargo-nextest 2>/dev/null)
deny := $(shell command -v cargo-deny 2>/dev/null)

.PHONY: help run stop status check lint unit test drill bench schemas clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' Makefile

run: ## the whole fleet on this machine, with purchases (ONCE=1: ends itself; PURCHASES, WORKERS, PROFILE=release)
	@deploy/local/run.sh

stop: ## end what make run started
	@deploy/local/stop.sh

status: ## what of it runs
	@deploy/local/status.sh

check: lint unit ## format, lints, dependencies and the tests that need no server

lint:
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --locked -- -D warnings
ifdef deny
	cargo deny --all-features check bans licenses sources
else
	@echo "cargo-deny is not installed: bans, licences and sources are not checked"
endif

# Without nextest: unit tests and the tidy tests; .config/nextest.toml says which tests need servers.
unit:
ifdef nextest
	cargo nextest run --workspace --locked --profile check
else
	cargo test --workspace --locked --lib --bins
	cargo test --workspace --locked --test it tidy::
endif

test: ## all tests, on a Postgres and a RabbitMQ of their own (KEEP=1 leaves these running; ARGS)
	@deploy/local/test.sh $(ARGS)

drill: ## kill -9 drills on servers of their own (ARGS=--list names them; SEED)
	@deploy/local/drill.sh $(ARGS)

bench: ## purchases/s and CPU of each, one at a time and grouped (PURCHASES, ROUNDS, KEEP=1, ARGS)
	@deploy/local/bench.sh $(ARGS)

# Of the whole workspace, so that it shares a build with the tests.
examples := $(or $(CARGO_TARGET_DIR),target)/debug/examples

schemas: ## write schemas and golden files anew
	cargo build --workspace --examples --locked
	$(examples)/write_schemas schemas
	$(examples)/write_openapi schemas/http/openapi.json
	$(examples)/print_transitions >.transitions.new
	mv .transitions.new tests/golden/transitions.txt

clean: stop ## end everything and remove what it kept; the build stays (cargo clean)
	@deploy/local/servers.sh clean
	@[ ! -d .local/bench ] || deploy/local/servers.sh --dir .local/bench clean
	rm -rf .local
