#!/usr/bin/env bash
# Builds in release and measures; `make bench` calls it. Options go to bench/run.py.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/millstream
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
cargo build --release --locked --bin millstream --example copy
tests/kafka/broker.sh run -- bash -c \
    'python3 bench/run.py "$0/release/millstream" "$0/release/examples/copy" "$KAFKA_BOOTSTRAP" "$@"' \
    "$CARGO_TARGET_DIR" "$@"
