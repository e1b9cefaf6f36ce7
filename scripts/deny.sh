#!/bin/sh
# Licences, doubled versions and sources of all dependencies (deny.toml).
set -eu

cd "$(dirname -- "$0")/.."
if ! cargo deny --version >/dev/null 2>&1; then
    echo "deny: cargo-deny is not installed; skipped (install it with: cargo install cargo-deny --locked)" >&2
    exit 0
fi
cargo deny --log-level error check licenses bans sources
