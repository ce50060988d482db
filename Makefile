# Two commands: `make demo` shows it, `make test` proves it. Everything else is for work on it.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.ONESHELL:
.DEFAULT_GOAL := help
.PHONY: help setup build demo test train train-syn ablation bench bench-train soak budget-demo results lint doc \
	docker-check clean-prefix

# Both programs of the vehicle: the node, and the tool for the desk. The trainer is built apart from them, so that
# neither is linked to libtorch.
FEATURES := --features node,desk
TRAINER := --no-default-features --features train
PYTHON_HERE := .prefix/bin/python
# The checkpoint that ends the closed-set training of `make train`: what is trained further begins with it.
CLOSED ?= target/train/camvid-lite0/run/margin.safetensors
# exported OUT,NAME: a model of what each phase of a run ended with; make results tells them all.
define exported
for checkpoint in $(1)/run/*.safetensors; do
    phase=$$(basename "$$checkpoint" .safetensors)
    [[ $$phase == last || $$phase == best-* ]] || \
        target/release/open-set-train export "$$checkpoint" --out "$(1)/$$phase/$(2)" --force
done
endef

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
test: ## the core alone, the whole crate, then the programs from outside
	@setup/setup.sh train
	. .prefix/env.sh
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
	part crate cargo test --release --locked $(FEATURES),train
	if compgen -G 'tests/**/*.py' >/dev/null || compgen -G 'tests/*.py' >/dev/null; then
	    part programs cargo build --release --locked $(FEATURES) --bins --examples
	    part trainer cargo build --release --locked $(TRAINER) --bins
	    part outside $(PYTHON_HERE) -m pytest tests -ra
	fi
	if (($${#failed[@]})); then
	    echo "failed: $${failed[*]}" >&2
	    exit 1
	fi

# Two hours on two cores; a run that was stopped goes on with the same command.
train: ## the shipped model from its settings, into target/train/camvid-lite0; DATA=folder of camvid/ and cutouts/
	@[[ -n "$(DATA)" ]] || { echo "make train DATA=folder of camvid/ and cutouts/" >&2; exit 2; }
	setup/setup.sh train weights
	. .prefix/env.sh
	cargo build --release --locked $(TRAINER) --bins
	out=target/train/camvid-lite0
	resume=(); [[ ! -e $$out/run/last.safetensors ]] || resume=(--resume)
	target/release/open-set-train run config/train/camvid-lite0.yaml --data "$(DATA)" --run $$out/run "$${resume[@]}"
	$(call exported,$$out,camvid-lite0)

# Some minutes, and some more for the flow, which the ablation begins with too. With SEED=8 the same by another seed.
train-syn: ## the shipped model without real negatives, from CLOSED, into target/train/camvid-lite0-syn; DATA=folder of camvid/ and cutouts/
	@[[ -n "$(DATA)" ]] || { echo "make train-syn DATA=folder of camvid/ and cutouts/" >&2; exit 2; }
	[[ -f "$(CLOSED)" ]] || { echo "there is no $(CLOSED): make train makes one, or CLOSED=checkpoint" >&2; exit 2; }
	setup/setup.sh train
	. .prefix/env.sh
	cargo build --release --locked $(TRAINER) --bins
	# What was made from other settings, or from another checkpoint, is not what is asked for.
	flow=target/train/flow; of_flow=config/train/flow-small.yaml
	[[ ! -e $$flow/settings.yaml ]] || cmp -s $$flow/settings.yaml $$of_flow || rm -r $$flow
	if [[ ! -e $$flow/flow.safetensors ]]; then
	    resume=(); [[ ! -e $$flow/last.safetensors ]] || resume=(--resume)
	    target/release/open-set-train flow pretrain $$of_flow --data "$(DATA)" --run $$flow "$${resume[@]}"
	fi
	out=target/train/camvid-lite0-syn$(if $(SEED),-$(SEED))
	mkdir -p $$out
	from="$$(cat "$(CLOSED)" $$flow/flow.safetensors | sha256sum)"
	[[ ! -e $$out/begin.sha256 || $$(<$$out/begin.sha256) == "$$from" ]] || \
	    { echo "$$out was begun from another flow, or checkpoint than $(CLOSED): move it away" >&2; exit 2; }
	echo "$$from" >$$out/begin.sha256
	settings=config/train/camvid-lite0-syn.yaml
	if [[ -n "$(SEED)" ]]; then
	    sed 's/^seed: .*/seed: $(SEED)/' $$settings >$$out/settings.yaml
	    settings=$$out/settings.yaml
	fi
	begin=(--init "$(CLOSED)" --phase open-set); [[ ! -e $$out/run/last.safetensors ]] || begin=(--resume)
	target/release/open-set-train run $$settings --data "$(DATA)" --run $$out/run "$${begin[@]}"
	target/release/open-set-train export "$(CLOSED)" --out $$out/begin/camvid-lite0-syn --force
	$(call exported,$$out,camvid-lite0-syn)
	target/release/open-set-train flow samples $$out/run/open-set.safetensors --out $$out/samples.png
	target/release/open-set-train flow bpd $$out/run/open-set.safetensors --dataset camvid --root "$(DATA)/camvid" \
	    --split val --frames 20 | tee $$out/bpd.txt

# A row that was stopped goes on with the same command, and one that is done stays. ABLATION='--at-once 2' trains two rows
# beside each other, each on half of the cores, which is faster.
ablation: build ## what negatives are worth, from CLOSED, into models/README.md; DATA=folder of camvid/, camvid-static/ and cutouts/
	@[[ -n "$(DATA)" ]] || { echo "make ablation DATA=folder of camvid/, camvid-static/ and cutouts/" >&2; exit 2; }
	setup/setup.sh train plots
	. .prefix/env.sh
	cargo build --release --locked $(TRAINER) --bins
	$(PYTHON_HERE) models/ablation.py --data "$(DATA)" --closed-set "$(CLOSED)" $(ABLATION)

bench: build ## latency of the node; rankings and components beside scikit-learn and scipy
	@. .prefix/env.sh
	cargo build --release --locked $(FEATURES) --examples
	$(PYTHON_HERE) benches/latency.py $(BENCH)
	$(PYTHON_HERE) benches/ranking.py
	$(PYTHON_HERE) benches/components.py

bench-train: ## a training step with a flow beside one without, and beside Python PyTorch's; PYTHON_WITH_TORCH=a Python that has torch 2.13
	@setup/setup.sh train
	. .prefix/env.sh
	cargo build --release --locked $(TRAINER) --bins
	$(PYTHON_HERE) benches/training.py $(BENCH)

soak: build ## MINUTES=10 of the node under a budget and a load, watched from outside; into README.md
	@. .prefix/env.sh
	$(PYTHON_HERE) benches/soak.py --minutes $(or $(MINUTES),10) $(SOAK)

budget-demo: build ## a load halves the machine, the input size follows: benches/budget.png, and into README.md
	@. .prefix/env.sh
	$(PYTHON_HERE) benches/budget_demo.py $(BUDGET)

results: build ## the figures of models/README.md; DATA=folder of camvid/ and camvid-static/, STAMPS=folder of stamps, RESULTS="--model ..." of another model
	@. .prefix/env.sh
	$(PYTHON_HERE) models/results.py --data "$(DATA)" --stamps "$(STAMPS)" $(RESULTS)

# In release, so that r2r and its generated messages are built once for this and for `build`.
lint: ## formatting, clippy for each set of features, documentation; warnings are errors
	@setup/setup.sh train
	. .prefix/env.sh
	cargo fmt --check
	for features in --no-default-features "--no-default-features --features desk" "$(TRAINER)" "$(FEATURES)"; do
	    cargo clippy --release --locked --all-targets $$features -- -D warnings
	done
	RUSTDOCFLAGS="-D warnings" cargo doc --release --locked --no-deps $(FEATURES),train

doc: ## the crate's documentation, in target/doc
	@setup/setup.sh train
	. .prefix/env.sh
	cargo doc --release --locked --no-deps --document-private-items $(FEATURES),train

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
