# Two commands: `make demo` shows it, `make test` proves it. Everything else is for work on it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help setup build demo test bench results lint doc docker-check clean-prefix

# Both programs: the node, and the tool for the desk.
FEATURES := --features node,desk
PYTHON_HERE := .prefix/bin/python

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## system packages and the private prefix (.prefix/); nothing to do: under a second
	@setup/setup.sh

build: setup ## the node and the tool, in target/release
	@. .prefix/env.sh
	cargo build --release --locked $(FEATURES)

demo: build ## a street, seen by the node; DEMO="..." passes arguments on
	@[[ -n "$(DEMO)" ]] || setup/setup.sh demo
	. .prefix/env.sh
	$(PYTHON_HERE) demo/demo.py $(DEMO)

# Every part runs, also after one that failed; the exit status tells whether all passed.
test: setup ## the core alone, the whole crate, then the programs from outside
	@. .prefix/env.sh
	# A domain of its own and this machine only: other ROS programs neither see nor disturb the tests.
	export ROS_DOMAIN_ID=$${ROS_DOMAIN_ID:-$$((RANDOM % 101 + 1))}
	export ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST
	export FASTRTPS_DEFAULT_PROFILES_FILE=$(CURDIR)/config/fastdds.xml
	# A sourced ROS brings pytest plugins made for another pytest.
	export PYTEST_DISABLE_PLUGIN_AUTOLOAD=1
	failed=()
	part() { # NAME COMMAND...
	    echo "== $$1: $${*:2}"
	    "$${@:2}" || failed+=("$$1")
	}
	part core cargo test --locked --no-default-features
	part crate cargo test --release --locked $(FEATURES)
	if compgen -G 'tests/**/*.py' >/dev/null || compgen -G 'tests/*.py' >/dev/null; then
	    part programs cargo build --release --locked $(FEATURES) --bins --examples
	    part outside $(PYTHON_HERE) -m pytest tests -ra
	fi
	if (($${#failed[@]})); then
	    echo "failed: $${failed[*]}" >&2
	    exit 1
	fi

bench: build ## latency of the node; rankings and components beside scikit-learn and scipy
	@. .prefix/env.sh
	cargo build --release --locked $(FEATURES) --examples
	$(PYTHON_HERE) benches/latency.py $(BENCH)
	$(PYTHON_HERE) benches/ranking.py
	$(PYTHON_HERE) benches/components.py

results: build ## the figures of models/README.md; DATA=folder of camvid/ and camvid-static/, STAMPS=folder of stamps
	@. .prefix/env.sh
	$(PYTHON_HERE) models/results.py --data "$(DATA)" --stamps "$(STAMPS)"

# In release, so that r2r and its generated messages are built once for this and for `build`.
lint: setup ## formatting, clippy for each set of features, documentation; warnings are errors
	@. .prefix/env.sh
	cargo fmt --check
	for features in --no-default-features "--no-default-features --features desk" "$(FEATURES)"; do
	    cargo clippy --release --locked --all-targets $$features -- -D warnings
	done
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps $(FEATURES)

doc: setup ## the crate's documentation, in target/doc
	@. .prefix/env.sh
	cargo doc --release --locked --no-deps --document-private-items $(FEATURES)

# Without Docker, what can be checked is that all the Dockerfile copies is there.
docker-check: ## the Dockerfile: its sources exist and, where Docker is, both stages build
	@missing=0
	while read -r source; do
	    [[ -e $$source ]] || { echo "Dockerfile copies $$source, which does not exist" >&2; missing=1; }
	done < <(awk '$$1 == "COPY" && $$2 !~ /^--/ { for (i = 2; i < NF; i++) print $$i }' Dockerfile)
	((missing == 0))
	if docker info >/dev/null 2>&1; then
	    docker build --target tests --tag open_set:tests .
	    docker build --target node --tag open_set:node .
	else
	    echo "skipped: no Docker engine here; all that the Dockerfile copies exists"
	fi

clean-prefix: ## throws .prefix/ away; target/ stays
	rm -rf .prefix
