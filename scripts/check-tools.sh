#!/bin/sh
# Says exactly what is missing on this machine, all at once, before anything is built.
set -eu

missing=0
need() {
    if ! command -v "$1" >/dev/null 2>&1; then
        echo "missing: $1 - $2" >&2
        missing=1
    fi
}

need cargo "the Rust toolchain; install it with rustup (https://rustup.rs)"
need cc "a C compiler; Debian: apt-get install gcc libc6-dev, macOS: xcode-select --install"
need npm "Node.js 20.19 or later with npm; https://nodejs.org or your package manager"
if command -v node >/dev/null 2>&1; then
    if ! node -e 'const [a, b] = process.versions.node.split(".").map(Number); process.exit(a > 20 || (a === 20 && b >= 19) ? 0 : 1)'; then
        echo "too old: node $(node --version) - 20.19 or later is needed" >&2
        missing=1
    fi
else
    need node "Node.js 20.19 or later"
fi
exit "$missing"
