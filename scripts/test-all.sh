#!/usr/bin/env bash
# All tests. Most of them wait (for a market with a compressed clock, a browser, a server that starts again), so one after the
# other they leave the cores idle: three lanes run side by side. Whatever is built or installed, is before, on all cores. Each
# line names its lane; a test that fails stops no other; at the end come the last lines of what failed, the times, and the names
# of the failed tests.
#
#   scripts/test-all.sh [MAKE=make]
set -euo pipefail

make=${1:-make}
cd "$(dirname "${BASH_SOURCE[0]}")/.."
scripts/setup-services.sh
scripts/setup-browser.sh
"$make" --no-print-directory programs
cargo test --workspace --locked --no-run

work=$(mktemp -d)
lanes=()
stop() {
    trap - INT TERM HUP
    for lane in "${lanes[@]}"; do kill -- "-$lane" 2>/dev/null || true; done
    wait
    exit 130
}
trap 'rm -rf "$work"' EXIT
trap stop INT TERM HUP

# One target after the other, also after one that failed. Page and programs are built: doing it again would take them from under
# the tests of another lane.
lane() {
    local name=$1 target begin result
    shift
    for target; do
        begin=$SECONDS
        result=passed
        "$make" --no-print-directory --old-file=page --old-file=programs "$target" 2>&1 | tee "$work/$target.log" | sed -u "s/^/$name | /" || result=FAILED
        printf '%-14s %-7s %5d s\n' "$target" "$result" $((SECONDS - begin)) >>"$work/results"
    done
}

# Each lane is a process group of its own, so that Ctrl-C ends also what its tests have started.
set -m
lane rust test-rust &
lanes+=($!)
lane page test-page test-web &
lanes+=($!)
lane server test-cluster test-python test-interop fuzz-smoke &
lanes+=($!)
set +m
wait

while read -r target result _; do
    if [ "$result" = FAILED ]; then
        printf '\n%s failed; the last it printed:\n' "$target"
        tail -n 80 "$work/$target.log"
    fi
done <"$work/results"
printf '\n'
cat "$work/results"

skipped=$(cat "$work"/*.log | grep -c 'skipped: needs /' || true)
if [ "$skipped" -gt 0 ]; then
    printf '\nRECORDED DATA NOT FOUND: %d tests of recorded data did not run (LIQHEAT_SHARED_DATA names the folder)\n' "$skipped"
fi

# The names of failed tests, as cargo, node and pytest print them. Node prints each twice.
failed_tests() {
    sed -nE \
        -e 's/^test (.+) \.\.\. FAILED$/\1/p' \
        -e 's/^[[:space:]]*✖ (.+) \([0-9.]+ms\)$/\1/p' \
        -e 's/^(FAILED|ERROR) ([^ ]+::[^ ]+).*/\2/p' "$1" | awk '!seen[$0]++'
}

if grep -q FAILED "$work/results"; then
    printf '\nfailed tests:\n'
    while read -r target result _; do
        [ "$result" = FAILED ] || continue
        names=$(failed_tests "$work/$target.log")
        printf '%s\n' "${names:-(none is named: see the lines above)}" | sed "s/^/  $target: /"
    done <"$work/results"
    exit 1
fi
