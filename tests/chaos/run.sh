#!/usr/bin/env bash
# Builds the binary under test and runs the chaos suite: `run.sh SUITE [OPTIONS]`.
#
# What was done is kept in the cache, so that the same command goes on where it was interrupted;
# a run that came to its end is begun anew.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/millstream
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
python=${MILLSTREAM_PYTHON:-$(.ci/python)}
cargo build --profile ci --locked --bin millstream

out=$cache/chaos/$1
if [[ -e $out/complete ]]; then rm -rf "$out"; fi
mkdir -p "$out"
PYTHONPATH=tests exec "$python" -m chaos "$@" --binary "$CARGO_TARGET_DIR/ci/millstream" --out "$out" --resume
