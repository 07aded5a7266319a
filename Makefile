# What people run. `make help` lists it. Nothing but the Rust toolchain is needed for `make run`.

CARGO ?= cargo
PORT53 = $(CARGO) run --quiet --package port53-cli --bin port53 --
# Real zones to be served and asked, a directory of master files.
ZONES ?= $(wildcard ../shared/data/zones)

.DEFAULT_GOAL := help

.PHONY: help
help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-17s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: run
run: ## build, and serve examples/ on 127.0.0.1:5353
	$(PORT53) dev examples

# Where the tests of all packages have put their programs: to build them for one package alone would build them again.
BUILT = $${CARGO_TARGET_DIR:-target}/debug

.PHONY: test
test: peers control-plane ## everything: unit, property, resolver, peers, API server, and real zones where they are
	$(CARGO) test --workspace
	$(MAKE) fuzz-found
	$(if $(ZONES),$(BUILT)/acceptance $(ZONES),@echo 'no real zones here: give a directory of master files, ZONES=dir make acceptance')

.PHONY: test-api-oldest
test-api-oldest: ## the tests against an API server, on the oldest Kubernetes supported and not the newest
	PORT53_KUBERNETES=oldest tests/install-control-plane >/dev/null
	PORT53_KUBERNETES=oldest $(CARGO) test --package port53-tests --test api --test operator

.PHONY: acceptance
acceptance: peers control-plane ## import every zone of ZONES=dir into a cluster, ask every resolver, compare
	$(CARGO) build --package port53-tests --bins
	$(CARGO) run --quiet --package port53-tests --bin acceptance -- $(ZONES)

# What the demo moves from: bind, knot or pdns. Its zones are real ones where they are, else those of tests/fixtures/moving.
LEGACY ?= bind
.PHONY: migrate-demo
migrate-demo: peers control-plane ## zones move here from a real server, with a way back, while clients ask; LEGACY=bind|knot|pdns, ZONES=dir
	$(CARGO) build --package port53-tests --bins
	$(CARGO) run --quiet --package port53-tests --bin migrate_demo -- --legacy $(LEGACY) \
		--commit $(shell git rev-parse --short HEAD) $(if $(ZONES),--zones $(ZONES))

.PHONY: acceptance-dev
acceptance-dev: peers ## the same with port53 dev, as master files and as manifests
	$(CARGO) build --package port53-tests --bins
	$(CARGO) run --quiet --package port53-tests --bin acceptance -- --dev $(ZONES)

# Rounds, and seconds of each measurement in them. Defaults are those of a command where others have the same name.
bench: ROUNDS ?= 5
bench: SECONDS ?= 5
.PHONY: bench
bench: peers ## queries a second and what they cost: ours, the peers and an echo server; ROUNDS=, SECONDS=, ZONES=
	$(CARGO) build --release --package port53-tests --bins
	$(CARGO) run --release --quiet --package port53-tests --bin bench_answers -- --rounds $(ROUNDS) \
		--seconds $(SECONDS) --commit $(shell git rev-parse --short HEAD) $(if $(ZONES),--zones $(ZONES))

.PHONY: bench-image
bench-image: ## octets of an RRset in memory, and the cost of a change and of an answer in a zone of a million
	$(CARGO) run --release --quiet --package port53-tests --bin bench_image -- --commit $(shell git rev-parse --short HEAD)

# Empty, or --keep to compare with these counts from now on.
KEEP ?=

.PHONY: bench-instructions
bench-instructions: gungraun ## instructions of an answer of each kind, compared with those that are kept; KEEP=--keep
	$(CARGO) run --release --quiet --package port53-tests --bin bench_instructions -- \
		--commit $(shell git rev-parse --short HEAD) $(KEEP)

.PHONY: bench-dev
bench-dev: ## how long a saved change takes until port53 dev answers it
	$(CARGO) build --release --package port53-tests --bins
	$(CARGO) run --release --package port53-tests --bin bench_dev

.PHONY: flood
flood: ## what floods do to a client that behaves; bounded in time, on loopback
	$(CARGO) build --release --package port53-tests --bin flood --bin port53-resolver-tested
	$(CARGO) run --release --quiet --package port53-tests --bin flood -- --commit $(shell git rev-parse --short HEAD)

.PHONY: bench-plan
bench-plan: ## how long the operator's plan takes when one record of 10,000 changed
	$(CARGO) bench --package port53-operator --bench plan

# What the zones and questions are made from, and how many rounds of 50 zones with 200 questions each.
SEED ?= 53
differential: ROUNDS ?= 100
.PHONY: differential
differential: peers ## ours and the peers on real and generated zones, every difference explained; SEED=, ROUNDS=, ZONES=
	$(CARGO) build --release --package port53-tests --bin differential --bin port53-tested
	$(CARGO) run --release --quiet --package port53-tests --bin differential -- \
		--seed $(SEED) --rounds $(ROUNDS) $(if $(ZONES),--real $(ZONES))

# How long each target is fuzzed, and which: answer, master, slices, legacy, stream, manifest,
# transfer.
fuzz: SECONDS ?= 300
TARGETS ?=
.PHONY: fuzz
fuzz: ## octets that nobody thought of, guided by what they reach; SECONDS= for each, JOBS=, TARGETS=
	SECONDS=$(SECONDS) $(if $(JOBS),JOBS=$(JOBS)) CARGO=$(CARGO) fuzz/run $(TARGETS)

.PHONY: fuzz-found
fuzz-found: # the inputs that were found, as tests
	$(CARGO) test --quiet --manifest-path fuzz/Cargo.toml

# How many changes at which rates a second; one number of changes, or one for each rate.
CHANGES ?= 2000
RATES ?= 1,10

.PHONY: bench-propagation
bench-propagation: control-plane ## how long a change takes from the API server to the last resolver; CHANGES=, RATES=
	$(CARGO) build --release --package port53-tests --bins
	$(CARGO) run --release --quiet --package port53-tests --bin bench_propagation -- \
		--changes $(CHANGES) --rates $(RATES) --commit $(shell git rev-parse --short HEAD)

.PHONY: bench-forwarding
bench-forwarding: SECONDS ?= 10
bench-forwarding: peers ## what an answer costs that is forwarded to a legacy DNS, compared or not, beside one from here
	$(CARGO) build --release --package port53-tests --bin bench_forwarding --bin port53-resolver-tested
	$(CARGO) run --release --quiet --package port53-tests --bin bench_forwarding -- \
		--seconds $(SECONDS) --commit $(shell git rev-parse --short HEAD)

.PHONY: bench-backfill
bench-backfill: peers control-plane ## 100,000 records in 100 zones from BIND into a cluster, and what that costs others
	$(CARGO) build --release --package port53-tests --bin bench_backfill --bin port53-operator-tested \
		--bin port53-resolver-tested
	$(CARGO) run --release --quiet --package port53-tests --bin bench_backfill -- \
		--commit $(shell git rev-parse --short HEAD)

.PHONY: bench-compare
bench-compare: peers control-plane ## a zone of a million RRsets compared with its legacy server: seconds and memory
	$(CARGO) build --release --package port53-tests --bin bench_compare --bin port53-operator-tested \
		--bin port53-resolver-tested
	$(CARGO) run --release --quiet --package port53-tests --bin bench_compare -- \
		--commit $(shell git rev-parse --short HEAD)

.PHONY: lint
lint: deny ## format, clippy, licenses and bans; that generated files are up to date is a test
	$(CARGO) fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- --deny warnings
	$(CARGO) deny check bans licenses sources

.PHONY: generate
generate: ## write what is generated: the CRDs, docs/api.md, docs/rules.md and the chart's README.md
	$(CARGO) run --quiet --package port53-crds --bin generate
	UPDATE=1 $(CARGO) test --quiet --package port53-zone the_document_is_the_table
	UPDATE=1 $(CARGO) test --quiet --package port53-tests --test chart the_readme_lists_the_values

.PHONY: peers
peers: # the nameservers and tools that tests compare with
	@tests/install-peers

.PHONY: control-plane
control-plane: # etcd, kube-apiserver and kubectl for the tests against a real API server; built once
	@tests/install-control-plane >/dev/null

.PHONY: helm
helm: # Helm 3 and 4 for the tests of the chart; built once
	@tests/install-helm >/dev/null

.PHONY: cluster-programs
cluster-programs: helm # what a cluster with nodes is made of, and Helm; built once
	@tests/install-peers --cluster
	@PORT53_KUBERNETES=node tests/install-control-plane >/dev/null

# How many nodes `make cluster` has.
NODES ?= 1
.PHONY: cluster
cluster: cluster-programs ## a Kubernetes cluster with nodes on this machine, in a network of its own; as root; NODES=
	$(CARGO) build --package port53-tests --bin cluster
	@$(BUILT)/cluster up --nodes $(NODES) $(if $(wildcard target/images/*.tar),--image target/images)

.PHONY: cluster-down
cluster-down: ## end that cluster; nothing of it stays
	@$(BUILT)/cluster down

# Files with colons between them, each from the root on.
absolute = $(subst $(space),:,$(abspath $(subst :, ,$(1))))
space = $() $()

.PHONY: e2e
e2e: ALSO = --package port53-faulty
e2e: PROFILE = image-of-tests
e2e: OUT = target/images-of-tests
e2e: peers $(if $(KUBECONFIG),control-plane helm,cluster-programs) images ## the chart in a cluster made for it, as root, and what clients get; or in that of KUBECONFIG=
	KUBECONFIG='$(call absolute,$(KUBECONFIG))' $(CARGO) test --package port53-tests --test e2e -- --test-threads=1

# Some acts alone, by a part of their names.
ONLY ?=
.PHONY: e2e-loss
e2e-loss: ALSO = --package port53-faulty
e2e-loss: PROFILE = image-of-tests
e2e-loss: OUT = target/images-of-tests
e2e-loss: cluster-programs images ## what clients lose while all sorts of things are done to a cluster; as root; ONLY=
	$(CARGO) build --release --package port53-tests --bin loss
	KUBECONFIG= $(CARGO) run --release --quiet --package port53-tests --bin loss -- \
		--commit $(shell git rev-parse --short HEAD) --only '$(ONLY)'

# Architectures that images are made for, and cargo's profile.
ARCHITECTURES ?= amd64
PROFILE ?= image
OUT ?= target/images
.PHONY: images
images: ## container images as archives in target/images; ARCHITECTURES="amd64 arm64"
	ALSO='$(ALSO)' PROFILE=$(PROFILE) OUT=$(OUT) images/build $(ARCHITECTURES)

.PHONY: gungraun
gungraun: # valgrind and what runs benchmarks under it, of the version of its library
	@tests/install-peers valgrind
	@gungraun-runner --version 2>/dev/null | grep -q 0.20.0 || $(CARGO) install --quiet --locked gungraun-runner@0.20.0

.PHONY: deny
deny: # cargo-deny, built once
	@command -v cargo-deny >/dev/null || $(CARGO) install --quiet --locked cargo-deny@0.20.2
