#!/usr/bin/env bash
# Feeds made-up bytes to everything that reads bytes from outside.
#
#   scripts/fuzz.sh [SECONDS] [TARGET..]     a minute for each of all targets, unless said otherwise
#
# No sanitizer: the project has no unsafe code, and without one the stable compiler will do. What is found is
# kept in fuzz/artifacts; the inputs that reached something new are kept in fuzz/corpus. Inputs to begin with are in
# fuzz/seeds, in a folder of the target's name.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
seconds="${1:-60}"
shift || true

if ! cargo fuzz --version >/dev/null 2>&1; then
    echo "installing cargo-fuzz" >&2
    cargo install --quiet --locked cargo-fuzz
fi
# All of them, so that whoever breaks a target that does not run now learns of it. They need the same crates, so this takes
# seconds more than the ones that run.
cargo fuzz build --sanitizer none
targets=("$@")
if [ "${#targets[@]}" -eq 0 ]; then
    mapfile -t targets < <(cargo fuzz list)
fi
for target in "${targets[@]}"; do
    echo "fuzzing $target for $seconds s" >&2
    corpora=()
    if [ -d "fuzz/seeds/$target" ]; then
        mkdir -p "fuzz/corpus/$target"
        corpora=("fuzz/corpus/$target" "fuzz/seeds/$target")
    fi
    cargo fuzz run --sanitizer none "$target" "${corpora[@]}" -- -max_total_time="$seconds" -max_len=4096 -verbosity=0 -print_final_stats=1
done
