#!/usr/bin/env bash
# Check the crate graph. Bans, licences and sources need nothing but Cargo.lock. Advisories need the
# RustSec database, a git repository that some build machines cannot reach: then the reason is noted.
set -euo pipefail
deny=(.cache/tools/bin/cargo-deny --manifest-path native/Cargo.toml --locked)

"${deny[@]}" --log-level error check bans licenses sources
if answer=$(timeout 120 "${deny[@]}" fetch db 2>&1); then
    "${deny[@]}" check --disable-fetch advisories
else
    reason=$(grep -m1 'fatal:' <<<"$answer" || echo "fetching it failed or took over 120 s")
    tools/check.sh skipped "cargo-deny advisories" "no advisory database: $reason"
fi
