#!/usr/bin/env bash
# Install the built wheels into a fresh environment and run the smoke test from an empty directory.
#   smoke_wheel.sh PYTHON DIST
set -euo pipefail
root=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

wheels=("$root/$2"/fapilog-*.whl "$root/$2"/fapilog_compliance-*.whl)
[ ${#wheels[@]} -eq 2 ] && [ -f "${wheels[0]}" ] && [ -f "${wheels[1]}" ] ||
  { echo "smoke: expected the wheels of fapilog and fapilog-compliance in $2, found: ${wheels[*]}" >&2; exit 1; }

"$root/$1" -m venv "$work/venv"
"$work/venv/bin/python" -m pip install --quiet --upgrade 'pip>=25.1'
"$work/venv/bin/python" -m pip install --quiet "${wheels[@]}"
mkdir "$work/empty"
cp tests/smoke/smoke.py "$work/smoke.py"
cd "$work/empty"
# -I keeps the environment's PYTHONPATH and the script's folder off sys.path.
"$work/venv/bin/python" -I "$work/smoke.py" "$root"
