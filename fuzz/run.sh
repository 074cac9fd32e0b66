#!/bin/sh
# Builds every fuzz target and runs each for SECONDS (default 30), or only those that are named:
#   fuzz/run.sh [SECONDS [TARGET...]]
#
# A stable toolchain is enough: the coverage that libFuzzer steers by comes from LLVM's own pass.
# Its sanitizers, which would take a nightly one, look for errors of unsafe code; there is none here.
#
# What is known to be of interest is in corpus/TARGET. New inputs are collected beside the build and
# are kept from run to run; MERGE=1 adds those of them to corpus/TARGET that reach new code.
set -eu
cd "$(dirname "$0")"
seconds=${1:-30}
[ $# = 0 ] || shift
# Most of them find what there is in less than their time.
jobs=$(($(nproc) * 2))

for command in cargo c++; do
    if ! command -v "$command" >/dev/null; then
        echo "fuzz: $command is missing (make setup installs c++)" >&2
        exit 1
    fi
done

targets=$(sed -n 's/^name = "\(.*\)"/\1/p' Cargo.toml | tail -n +2)
for target in "$@"; do
    if ! printf '%s\n' "$targets" | grep -qx "$target"; then
        echo "fuzz: there is no target $target; there are:" $targets >&2
        exit 1
    fi
done
targets=${*:-$targets}

# With a target triple, cargo leaves build scripts and procedural macros without coverage.
triple=$(rustc -vV | sed -n 's/^host: //p')
coverage="-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4"
coverage="$coverage -Cllvm-args=-sanitizer-coverage-inline-8bit-counters"
coverage="$coverage -Cllvm-args=-sanitizer-coverage-pc-table"
coverage="$coverage -Cllvm-args=-sanitizer-coverage-trace-compares"
RUSTFLAGS="$coverage --cfg fuzzing" cargo build --release --target "$triple"
built=target/$triple/release

# One target: what libFuzzer prints is kept, and shown if it found something.
run='
target=$1; built=$2; seconds=$3
found=$built/fuzz/$target
dictionary=dictionaries/$target
[ -e "$dictionary" ] || dictionary=
mkdir -p "corpus/$target" "$found/corpus" "$found/artifacts"
if "$built/$target" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=1024 -print_final_stats=1 \
    ${dictionary:+-dict="$dictionary"} -artifact_prefix="$found/artifacts/" "$found/corpus" "corpus/$target" >"$found/log" 2>&1; then
    runs=$(sed -n "s/^stat::number_of_executed_units: *//p" "$found/log")
    seeds=$(ls "corpus/$target" | wc -l)
    echo "fuzz: $target: $runs inputs in $seconds s, from $seeds known ones: nothing found"
else
    tail -n 40 "$found/log" >&2
    echo "fuzz: $target FAILED; the input is in fuzz/$found/artifacts" >&2
    exit 1
fi
if [ -n "${MERGE:-}" ]; then
    "$built/$target" -set_cover_merge=1 "corpus/$target" "$found/corpus" >>"$found/log" 2>&1
fi
'
# shellcheck disable=SC2086 # the targets are a list of words
printf '%s\n' $targets | xargs -P "$jobs" -I '{}' sh -c "$run" fuzz '{}' "$built" "$seconds"
