#!/usr/bin/env bash
# Builds the binary under test and runs the chaos suite: `run.sh SUITE [OPTIONS]`.
#
# What was done is kept in the cache, so that the same command goes on where it was interrupted; a
# run that came to its end is begun anew. `bounds` measures a release build and leaves its figures
# beside those of `all`; `report --report FILE` writes the page of both.
set -euo pipefail
cd "$(dirname "$0")/../.."

cache=${XDG_CACHE_HOME:-$HOME/.cache}/millstream
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
python=${MILLSTREAM_PYTHON:-$(.ci/python)}
suite=${1:?usage: run.sh SUITE [OPTIONS]}
shift

chaos() { PYTHONPATH=tests exec "$python" -m chaos "$@"; }

case $suite in
    bounds)
        cargo build --release --locked --bin millstream
        chaos bounds --release --binary "$CARGO_TARGET_DIR/release/millstream" --out "$cache/chaos/all" "$@"
        ;;
    report)
        chaos report --out "$cache/chaos/all" "$@"
        ;;
    *)
        cargo build --profile ci --locked --bin millstream
        out=$cache/chaos/$suite
        if [[ -e $out/complete ]]; then rm -rf "$out"; fi
        mkdir -p "$out"
        chaos "$suite" --binary "$CARGO_TARGET_DIR/ci/millstream" --out "$out" --resume "$@"
        ;;
esac
