#!/usr/bin/env bash
# One check of `make test`: a heading, the command, its time; the first failure names itself and stops.
#   check.sh begin                       forget what an earlier run did not do
#   check.sh run NAME -- COMMAND...      run one check
#   check.sh skipped NAME REASON         note what was not run; `end` prints it
#   check.sh end                         print what was not run, and the closing line
set -euo pipefail
mkdir -p .cache
notes=.cache/not_run.txt

case "$1" in
begin)
    rm -f .cache/pytest.xml
    : >"$notes"
    date +%s >.cache/test_started
    ;;
run)
    name=$2
    shift 3
    printf '\n== %s\n' "$name"
    start=$(date +%s)
    if ! "$@"; then
        printf '== %s FAILED after %s s. Command:' "$name" $(($(date +%s) - start)) >&2
        printf ' %q' "$@" >&2
        printf '\n' >&2
        exit 1
    fi
    printf '== %s passed in %s s\n' "$name" $(($(date +%s) - start))
    ;;
skipped)
    printf '%s: %s\n' "$2" "$3" | tee -a "$notes"
    ;;
end)
    printf '\n== Not run\n'
    .venv/bin/python tools/skipped_tests.py .cache/pytest.xml >>"$notes"
    if [ -s "$notes" ]; then cat "$notes"; else echo 'nothing: every check and every test ran'; fi
    printf '\nAll checks passed in %s s.\n' $(($(date +%s) - $(cat .cache/test_started)))
    ;;
*)
    echo "check.sh: unknown command '$1'" >&2
    exit 2
    ;;
esac
