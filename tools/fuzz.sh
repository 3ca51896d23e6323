#!/usr/bin/env bash
# Run one fuzz target. New inputs go to .cache/fuzz, not to the committed corpus.
#   fuzz.sh TARGET SECONDS
set -euo pipefail
target=$1 seconds=$2
root=$(cd "$(dirname "$0")/.." && pwd)
PATH=$root/.cache/tools/bin:$PATH
found=$root/.cache/fuzz/$target
mkdir -p "$found"
cd "$root/native"
cargo +nightly fuzz run --fuzz-dir fuzz "$target" "$found" "$root/native/fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -max_len=8192 -timeout=10 -print_final_stats=1
