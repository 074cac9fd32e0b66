# The tasks of this project; `make` alone lists them.

.PHONY: help setup demo demo-clean demo-layer2 demo-layer2-clean demo-kubernetes demo-kubernetes-clean test test-update fuzz bench manifests image lint clean root

help: ## List these tasks
	@sed -n 's/^\([a-z0-9-]*\):.*## /\1	/p' Makefile | expand -t 24

setup: ## Install the lab's tools that are missing (Debian packages)
	@sh lab/setup.sh

demo: root setup ## Two nodes, a router, a service: show its route come and go; KEEP=1 leaves it standing
	cargo build --package carillon
	cargo run --package carillon-lab --bin demo -- $(if $(KEEP),--keep)

demo-clean: root ## Remove the lab that KEEP=1 left standing
	cargo run --quiet --package carillon-lab --bin demo -- --clean

demo-layer2: root setup ## Three nodes on a segment: cut and drain the owner of an address; KEEP=1 as above
	cargo build --package carillon
	cargo run --package carillon-lab --bin demo -- --layer2 $(if $(KEEP),--keep)

demo-layer2-clean: root ## Remove the segment that KEEP=1 left standing
	cargo run --quiet --package carillon-lab --bin demo -- --layer2 --clean

demo-kubernetes: root setup image ## The first demo on a real Kubernetes, which needs Go once; KEEP=1 as above
	@sh lab/kubernetes/build.sh
	cargo run --package carillon-lab --bin demo -- --kubernetes $(if $(KEEP),--keep)

demo-kubernetes-clean: root ## Remove the cluster that KEEP=1 left standing
	cargo run --quiet --package carillon-lab --bin demo -- --kubernetes --clean

# Most of the lab's time is waiting, so more tests than processors run at a time.
test: export RUST_TEST_THREADS := $(shell echo $$(($$(nproc) + 1)))
test: root setup ## Run all tests; without root: cargo test --workspace --exclude carillon-lab
	@sh lab/kubernetes/build.sh && sh lab/helm/build.sh; case $$? in \
	0) cargo test --workspace; exit;; \
	2) features=kubernetes; what='the tests on a whole cluster';; \
	*) features=; what=lab/tests/kubernetes;; esac; \
	cargo test --workspace --exclude carillon-lab && \
	cargo test --package carillon-lab --no-default-features --features "$$features" && \
	echo "*** $$what did NOT run: install Go (https://go.dev/dl) and repeat ***"

fuzz: ## Run every fuzz target for 30 s, or for SECONDS=…, or the one that NAME=… names
	@sh fuzz/run.sh $(or $(SECONDS),30) $(NAME)

test-update: root setup ## Update daemons from an earlier version, that of FROM=commit, and back
	cargo build --package carillon
	@sh lab/update.sh $(FROM)

bench: root setup ## Run the benchmarks, or the one that NAME=… names
	@case '$(NAME)' in ''|*kubernetes*) sh lab/kubernetes/build.sh && sh lab/kubernetes/metallb/build.sh || \
	echo '*** without Go, the benchmarks on Kubernetes do NOT run, or without MetalLB ***';; esac
	cargo build --release --package carillon
	cargo run --release --package carillon-lab --bin bench -- $(NAME)

manifests: ## Write the manifests and the parts of the chart that are made from manifests/base
	@sh manifests/generate.sh

image: ## Build the container image: target/image/carillon-ARCH.tar; ARCH=arm64 IMAGE=name:tag
	@sh manifests/image/build.sh

lint: ## Check formatting, lints, documentation, lengths, and the licences of the dependencies
	cargo fmt --all --check
	cargo clippy --workspace --all-targets -- -D warnings
	cargo clippy --package carillon --all-targets --no-default-features -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --workspace
	@git ls-files '*.rs' | grep -vE '(^|/)tests(/|\.rs$$)' | xargs wc -l | awk '\
	$$2 != "total" && $$1 > 400 { print $$2 ": " $$1 " lines, 400 are allowed"; bad = 1 } \
	END { exit bad }'
	@if cargo deny --version >/dev/null 2>&1; then cargo deny check bans licenses sources; \
	else echo '*** cargo-deny is not installed: dependencies and licences are NOT checked ***'; fi

clean: ## Remove everything that was built
	cargo clean

# Network namespaces need root.
root:
	@[ "$$(id -u)" = 0 ] || { \
	echo 'this needs root, for network namespaces: sudo -E env PATH="$$PATH" make $(MAKECMDGOALS) $(MAKEOVERRIDES)' >&2; \
	exit 1; }
