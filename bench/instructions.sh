#!/usr/bin/env bash
# Counts the instructions of the fold (decode to encode, no Kafka) on a fixed input under callgrind and
# holds them against bench/instructions.txt: `instructions.sh [--bless]`.
#
# They hardly depend on the machine, so that a regression fails a build where a time could not. The
# build is that of the tests (profile ci), which has checks a release build has not; what matters is
# the change. Fewer by as much fail too: the figure is then out of date, and hides what comes next.
set -euo pipefail
cd "$(dirname "$0")/.."

tolerance_percent=3
records=20000
# As many records of a card within the window as the card job has.
cards=600
kept=bench/instructions.txt
cache=${XDG_CACHE_HOME:-$HOME/.cache}/millstream
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-$cache/target}
cargo build --quiet --profile ci --locked --example fold

# PIPELINE: instructions per record.
count() {
    local out
    out=$(mktemp)
    valgrind --tool=callgrind --callgrind-out-file="$out" --toggle-collect='*fold_all*' \
        "$CARGO_TARGET_DIR/ci/examples/fold" "$1" "$records" "$cards" >/dev/null 2>"$out.log" ||
        { cat "$out.log" >&2; exit 1; }
    awk -v records="$records" '/^(summary|totals):/ { printf "%.0f\n", $2 / records; exit }' "$out"
    rm -f "$out" "$out.log"
}

now=$(mktemp)
trap 'rm -f "$now"' EXIT
for pipeline in config/pipelines/card-features.yaml; do
    printf '%s %s\n' "$pipeline" "$(count "$pipeline")" >>"$now"
done
if [[ ${1:-} == --bless ]]; then
    cp "$now" "$kept"
    cat "$kept"
    exit 0
fi
awk -v tolerance="$tolerance_percent" '
    NR == FNR { before[$1] = $2; next }
    { change = 100 * ($2 / before[$1] - 1)
      printf "%s: %d instructions a record, %d before, %+.1f %%\n", $1, $2, before[$1], change
      if (change > tolerance || change < -tolerance) { broken++ } else { passed++ } }
    END { printf "%d passed, %d failed\n", passed, broken
          if (broken) print "more than " tolerance " % off; if that is meant: bench/instructions.sh --bless"
          exit broken > 0 }' "$kept" "$now"
