#!/bin/sh
# Builds the daemon of an earlier commit, by default the last one that speaks version 1 of the gossip
# only, and tests an update from it and back.
set -eu
cd "$(dirname "$0")/.."
from=${1:-a84ea60}
tree=target/earlier/source
if [ ! -e "$tree" ]; then
	git worktree prune
	git worktree add --detach "$tree" "$from"
fi
git -C "$tree" checkout --quiet --detach "$from"
cargo build --package carillon --manifest-path "$tree/Cargo.toml" --target-dir target/earlier/build
CARILLON_EARLIER="$PWD/target/earlier/build/debug/carillon" \
	cargo test --package carillon-lab --test layer2 an_update_from -- --ignored --nocapture
