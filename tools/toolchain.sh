#!/usr/bin/env bash
# Look for what `make` cannot install itself, and say what to do about each missing piece.
#   toolchain.sh PYTHON
set -euo pipefail
python=$1
fail() {
    echo "setup: $1" >&2
    exit 1
}

"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "'$python' is missing or older than Python 3.11. Install Python 3.11 or newer, or name one: make PYTHON=python3.12 setup"
"$python" -c 'import ensurepip, venv' 2>/dev/null ||
    fail "'$python' cannot make virtual environments. On Debian and Ubuntu: apt-get install python3-venv"
command -v cc >/dev/null ||
    fail "no C compiler 'cc' (it links the native module). On Debian and Ubuntu: apt-get install gcc libc6-dev"
command -v cargo >/dev/null ||
    fail "no 'cargo'. Install a Rust toolchain, for example with rustup, and put its bin directory on PATH"

for component in clippy rustfmt; do
    tool=cargo-${component/rustfmt/fmt}
    cargo "${tool#cargo-}" --version >/dev/null 2>&1 && continue
    command -v rustup >/dev/null ||
        fail "'$tool' is missing and there is no rustup to add it. Install your distribution's package of $component"
    rustup component add "$component" ||
        fail "rustup could not add $component. Run 'rustup component add $component' and read its message"
done
