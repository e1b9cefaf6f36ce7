# The words people type. `make help` lists them.
#
# Needed on the machine: git, Rust (rustup picks the pinned version by itself), Node.js 20.19 or later with npm,
# a C compiler and make. Everything else is fetched by `make setup`, which the other targets call.

.DEFAULT_GOAL := help
SHELL := /bin/sh
CARGO ?= cargo
target := $(or $(CARGO_TARGET_DIR),target)
# The longest tests wait for a market with a compressed clock and use a fraction of a core each.
threads := $(shell echo $$(( $$(nproc 2>/dev/null || echo 2) + 1 )))
# Recorded market data, where it is there: benches measure with it, tests that need it are skipped without.
klines := $(wildcard ../shared/data/klines/binance-um-BTCUSDT-5m-2023-2025.parquet)

.PHONY: help setup page programs build build-bench demo test test-rust test-cluster test-web test-page test-interop test-python stress fuzz fuzz-smoke lint fmt deny coverage bench bench-reads bench-contract bench-page soak-page socket-bytes pictures test-otlp test-api test-deploy load-demo load-cluster chaos dist test-dist clean

help: ## list the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: ## fetch what the build needs: libduckdb and the packages of the page
	@scripts/check-tools.sh
	@scripts/setup-duckdb.sh
	@scripts/setup-web.sh

page: setup ## build the client library and the page
	@scripts/build-page.sh

build: page ## the release binary, with the page inside
	$(CARGO) build --release --locked -p liqheat
	@echo "built $(target)/release/liqheat"

build-bench: build ## the release binary of the measurements
	$(CARGO) build --release --locked -p liqheat-bench

demo: build ## a moving heatmap of a simulated market in the browser
	$(target)/release/liqheat demo --open $(ARGS)

test: page ## all tests, what can run side by side does
	+@scripts/test-all.sh $(MAKE)

test-rust: page ## of the server: units, properties, real database, real sockets, the real binary
	$(CARGO) test --workspace --locked --no-fail-fast -- --skip cluster:: --test-threads=$(threads)

# Every test uses the same two, built with the same features: another selection would be another program.
programs: page
	$(CARGO) build --workspace --bins --locked -q

test-cluster: programs ## of several servers: real Redis, real nginx, and what happens when one of them dies
	@scripts/setup-services.sh
	$(CARGO) test --workspace --test cluster --locked -- --test-threads=2

test-web: page ## of the client library and the page's code
	cd web && npm test

test-otlp: page ## traces by OTLP: lints and tests of a build with the feature, which takes minutes: arrow is built again
	$(CARGO) clippy --workspace --all-targets --features otlp --locked -- -D warnings
	$(CARGO) test --workspace --features otlp --test otlp --locked

test-interop: programs ## published clients against the demo: websockets, a Coinglass client, the MCP SDK, both packages as published
	@scripts/test-interop.sh

test-python: programs ## the Python package: builds it, ruff, mypy, and its tests against the real server
	@scripts/test-python.sh $(abspath $(target))/debug/liqheat $(abspath $(target))/python $(ARGS)

stress: ## random histories, clients and faults for twenty seconds, with a seed that can be played again
	LIQHEAT_STRESS_SECONDS=$${LIQHEAT_STRESS_SECONDS:-20} $(CARGO) test --release --locked -p liqheat-stream -- --nocapture stress churn

fuzz: ## made-up bytes for every reader of outside bytes: a minute each, or ARGS="SECONDS TARGET.."
	@scripts/fuzz.sh $(ARGS)

fuzz-smoke: ## builds every target, and a few seconds of those that read a socket or Redis
	@scripts/fuzz.sh 5 reader inflate command state backplane

test-page: programs ## of the page in a real browser, against a stand-in and the real binary
	@scripts/test-page.sh

lint: page ## formatting, lints, types, wording, import circles, licences
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets --locked -- -D warnings
	cd web && npm run lint
	@if command -v python3 >/dev/null; then python3 scripts/check-text.py && python3 scripts/check-circles.py; else scripts/skip.sh check-text "needs python3 (Debian: apt-get install python3)"; fi
	@scripts/deny.sh

coverage: page ## lines that the Rust tests run; ARGS="-p liqheat-model" for one crate
	@scripts/coverage.sh $(ARGS)

fmt: ## format the Rust code
	$(CARGO) fmt --all

bench: build-bench ## print the figures of docs/results.md, measured on this machine
	$(target)/release/liqheat-bench $(if $(klines),--klines $(klines)) $(ARGS)

bench-reads: build-bench ## intervals between states while 100 connections read the database
	$(target)/release/liqheat-bench reads $(ARGS)

bench-contract: build-bench ## what the plan of the stream promised, against its limits: half an hour, then a socket that lives an hour
	@scripts/setup-services.sh
	$(target)/release/liqheat-bench contract polling rest redis history events $(ARGS)
	@scripts/load-states.sh $(abspath $(target))/release/liqheat-bench
	$(target)/release/liqheat-bench contract socket

bench-page: page ## frames per second of a large picture, and how long until the first one
	@scripts/setup-browser.sh
	cd web && npm run bench

soak-page: programs ## what the page holds after ten minutes of live updates (SECONDS=600)
	@scripts/setup-browser.sh
	cd web && LIQHEAT_BIN=$(abspath $(target))/debug/liqheat npm run --silent soak

socket-bytes: programs ## what the socket of a live page brings, bytes a second (SECONDS=60)
	@scripts/setup-browser.sh
	cd web && LIQHEAT_BIN=$(abspath $(target))/debug/liqheat npm run --silent socket-bytes

pictures: build ## the pictures of the README, taken from the demo
	@scripts/setup-browser.sh
	@scripts/setup-pictures.sh
	cd web && LIQHEAT_BIN=$(abspath $(target))/release/liqheat npm run --silent pictures

test-api: programs ## made-up requests to every route (schemathesis): none may be answered by a 5xx
	@scripts/test-api.sh $(abspath $(target))/debug/liqheat

test-deploy: ## alert rules with their tests, the unit, the compositions
	@scripts/test-deploy.sh

load-demo: build ## k6 with up to 1000 viewers against the demo, three minutes
	@scripts/load-demo.sh $(abspath $(target))/release/liqheat

load-cluster: build-bench ## 4000 clients through nginx on two servers with Redis, which are restarted meanwhile
	@scripts/load-cluster.sh $(abspath $(target))/release/liqheat

chaos: build ## attacks on the release build, a stated result for each (ten minutes); ARGS="NAME.." for some
	@scripts/setup-services.sh
	node scripts/chaos.mjs $(abspath $(target))/release/liqheat $(ARGS)

dist: build ## one archive that runs on a bare Debian
	@scripts/dist.sh $(abspath $(target))/release/liqheat $(target)/dist

test-dist: dist ## unpacks it and runs it where there is nothing else
	@scripts/test-dist.sh "$$(ls -t $(target)/dist/*.tar.gz | head -1)"

clean: ## remove what was built (not what was fetched)
	$(CARGO) clean
	rm -rf web/client/dist web/dashboard/dist web/.build
