#!/usr/bin/env bash
# Install the built wheels into a fresh environment and run the smoke test from an empty directory.
#   smoke_wheel.sh PYTHON DIST
set -euo pipefail
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wheels=()
for name in fapilog fapilog_compliance fapilog_instrumentation_fastapi fapilog_exporter_elasticsearch fapilog_exporter_kafka fapilog_exporter_splunk fapilog_exporter_syslog; do
  found=("$root/$2/$name"-*.whl)
  [ ${#found[@]} -eq 1 ] && [ -f "${found[0]}" ] ||
    { echo "smoke: expected one wheel of $name in $2, found: ${found[*]}" >&2; exit 1; }
  wheels+=("${found[0]}")
done

"$root/$1" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
"$work/venv/bin/python" -m pip install --quiet "${wheels[@]}"
mkdir "$work/empty"
cp tests/smoke/smoke.py "$work/smoke.py"
cd "$work/empty"
# -I keeps the environment's PYTHONPATH and the script's folder off sys.path.
"$work/venv/bin/python" -I "$work/smoke.py" "$root"
