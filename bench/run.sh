#!/usr/bin/env bash
# Builds in release, starts a broker and measures; `make bench` calls it. Options go to
# `python -m bench`.
set -euo pipefail
cd "$(dirname "$0")/.."
cache=${XDG_CACHE_HOME:-$HOME/.cache}/millstream
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
export PYTHONPATH=.:tests PYTHONDONTWRITEBYTECODE=1
python=$(.ci/python bench/requirements.txt)
streams=$(.ci/jars bench/peers/kafka-streams.pom.xml)
flink=$(.ci/jars bench/peers/flink.pom.xml)
flights=$cache/flights.jsonl
[[ -e $flights ]] || { "$(.ci/python)" tests/oracle/flights_input.py --keys >"$flights.partial" && mv "$flights.partial" "$flights"; }
cargo build --release --locked --bin millstream --example copy --example feed
tests/kafka/broker.sh run -- bash -c 'exec "$@" --bootstrap "$KAFKA_BOOTSTRAP"' bench \
    "$python" -m bench "$@" \
    --millstream "$CARGO_TARGET_DIR/release/millstream" --floor "$CARGO_TARGET_DIR/release/examples/copy" \
    --flights "$flights" \
    --jars "kafka-streams=$streams" "flink=$flink"
