# The few commands of this repository. `make help` lists them.
SHELL := /bin/bash
.DEFAULT_GOAL := help

.PHONY: help
help: ## lists the commands
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

.PHONY: demo
demo: ## builds and starts Reelgate with a sample video, and prints the address to open (DEMO_CHECK=1: plays once and ends)
	@scripts/install-packages demo
	@scripts/build-web
	@cargo build --bin reelgate
	@scripts/demo

.PHONY: check
check: ## formatting, lints and unit tests: what to run while working
	@scripts/install-packages demo
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo test --workspace --lib --bins

.PHONY: test
test: ## everything that decides whether a change may land
	@scripts/install-packages test
	@scripts/install-garage
	@scripts/install-moto
	@scripts/install-schemathesis
	@scripts/install-players
	@scripts/build-web
	@scripts/build-client
	cargo fmt --all --check
	$$(scripts/install-cargo-deny) check bans licenses sources
	cargo clippy --workspace --all-targets -- -D warnings
	cargo build --workspace --all-targets
	@[ -n "$$REELGATE_CORPUS" ] || echo "REELGATE_CORPUS is not set: the real files are skipped, generated clips are used"
	@# Most of the time tests wait: for players, clocks and leases.
	@# What failed is said once more at the end: there is much between it and the last line.
	set -o pipefail; cargo test --workspace --no-fail-fast -- --test-threads=$$((2 * $$(nproc))) 2>&1 | tee target/test.log || { scripts/failures target/test.log; exit 1; }
	scripts/check-deploy
	DEMO_CHECK=1 scripts/demo

.PHONY: web
web: ## builds the web page, which the next `cargo build` of the gateway embeds (demo and test do so by themselves)
	@scripts/build-web

.PHONY: deny
deny: ## holds the dependencies against deny.toml: what is banned, licences, sources (part of test)
	$$(scripts/install-cargo-deny) check bans licenses sources

.PHONY: check-deploy
check-deploy: ## the Compose file, systemd units and all else in deploy/ against what reads them (part of test)
	@scripts/install-packages test
	cargo build --workspace --bin reelgate
	scripts/check-deploy

.PHONY: chaos
chaos: ## faults at random for half an hour, and the promises held against what is left (CHAOS_SEED, CHAOS_FAULTS, CHAOS_MINUTES)
	@scripts/install-packages test
	@scripts/install-garage
	cargo build --workspace --bins
	CHAOS_SEED=$${CHAOS_SEED:-$$RANDOM} CHAOS_FAULTS=$${CHAOS_FAULTS:-500} CHAOS_MINUTES=$${CHAOS_MINUTES:-30} \
		cargo test -p reelgate-e2e --test it -- --nocapture --exact \
		chaos::whatever_fails_every_answered_upload_is_kept_once_and_whole
	CRASH_SEEDS=$${CRASH_SEEDS:-20} CHAOS_SEED=$${CHAOS_SEED:-$$RANDOM} cargo test -p reelgate-e2e --test it -- --nocapture --exact \
		chaos::crash::a_worker_that_dies_at_any_point_leaves_one_whole_result_and_nothing_else
	CHAOS_JOBS=10000 cargo test -p reelgate-e2e --test it -- --nocapture --exact \
		chaos::many::of_many_jobs_each_has_one_result_however_many_workers_die

.PHONY: hosts
hosts: ## every part on a host of its own: each line cut for HOSTS_CUT_SECONDS (60), then everything restarted, under load; needs root (docs/hosts.md)
	@[ "$$(id -u)" = 0 ] || { echo "make hosts makes network namespaces: run it as root" >&2; exit 1; }
	@scripts/install-packages hosts
	@scripts/install-garage
	cargo build --workspace --all-targets
	cargo test -p reelgate-e2e --test it -- --ignored --nocapture --test-threads=1 hosts::

.PHONY: tus-cuts
tus-cuts: ## tus-js-client and Uppy upload a gibibyte each through 50 cuts and 10 kills of gateways (UPLOAD_MIB, UPLOAD_CUTS, UPLOAD_KILLS, UPLOAD_SEED)
	@scripts/install-packages test
	@scripts/install-garage
	@scripts/install-players
	cargo build --workspace --bins
	UPLOAD_MIB=$${UPLOAD_MIB:-1024} UPLOAD_CUTS=$${UPLOAD_CUTS:-50} UPLOAD_KILLS=$${UPLOAD_KILLS:-10} UPLOAD_SEED=$${UPLOAD_SEED:-$$RANDOM} \
		cargo test -p reelgate-e2e --test it -- --nocapture --test-threads=1 through_cuts_and_kills

.PHONY: fuzz
fuzz: ## every fuzz target for FUZZ_SECONDS (60) each; scripts/fuzz TARGET for one of them
	@scripts/fuzz

.PHONY: lint-http
lint-http: ## every endpoint's answers before httplint (PyPI)
	@scripts/lint-http

.PHONY: lint-api
lint-api: ## every operation of /openapi.json before schemathesis (PyPI) on both footings, with EXAMPLES (50) requests of chance each; SEED
	@scripts/install-packages test
	@scripts/install-garage
	@scripts/install-schemathesis
	cargo build --workspace --bins
	EXAMPLES=$${EXAMPLES:-50} cargo test -p reelgate-e2e --test it -- --nocapture --test-threads=1 openapi::

.PHONY: audit
audit: ## known holes of the dependencies, by the advisory database of RustSec from the internet (ADVISORY_DB: another copy's address)
	@scripts/audit

.PHONY: load
load: ## peak memory of a gateway under 20 uploads of 1 GiB each and under 1,000 slow clients, with the figures
	cargo test -p reelgate-e2e --test it -- --nocapture --test-threads=1 the_gateways_memory

.PHONY: soak
soak: ## a load of everything at once for SOAK_MINUTES (10): flat memory, only named refusals, latencies (SOAK_SHARE: 8 thousandths of 50,000 viewers)
	cargo build --bins
	cargo test -p reelgate-e2e --test it -- --ignored --nocapture a_long_load_of_everything

.PHONY: capacity
capacity: ## what Postgres and Redis bear of each thing that is asked of them: the figures of docs/capacity.md
	@scripts/install-packages test
	cargo test -p reelgate-e2e --test it -- --ignored --nocapture what_a_database_bears

.PHONY: upgrade
upgrade: ## the version before (UPGRADE_FROM: a commit) and this one side by side, while clients upload and play
	@scripts/install-packages test
	@scripts/install-garage
	@scripts/upgrade

.PHONY: garage
garage: ## builds Garage, the S3 server of the tests, into the cache folder
	@scripts/install-garage

.PHONY: bench
bench: ## streaming, upload, memory and transcode figures, each beside its peer (scripts/bench PART for one of them)
	@scripts/install-packages bench
	@scripts/install-garage
	scripts/bench

.PHONY: check-memory
check-memory: ## the corpus through the task under valgrind: leaks, and bytes that are not its own (long)
	@scripts/check-memory
