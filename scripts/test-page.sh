#!/bin/sh
# The page in a real browser: against a stand-in server that can be told to misbehave, against the real program
# while it is killed and started again, against its demo, and against recorded data.
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
"$root/scripts/setup-browser.sh"

cd "$root"
program=${CARGO_TARGET_DIR:-$root/target}/debug/liqheat
(cd web && LIQHEAT_BIN=$program LIQHEAT_BENCH_BIN=$program-bench npm run --silent e2e)

# Against the program's own demo, and against recorded data where that is there.
against() {
    echo "test-page: against $*"
    work=$(mktemp -d)
    mkfifo "$work/output"
    "$program" "$@" --listen 127.0.0.1:0 >"$work/output" 2>"$work/log" &
    server=$!
    trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
    # Opened for as long as the server is wanted. The first line is the address; a server that does not start
    # closes the pipe without one.
    exec 3<"$work/output"
    read -r line <&3 || line=
    url=${line#liqheat: }
    if [ -z "$url" ]; then
        echo "test-page: it did not start:" >&2
        cat "$work/log" >&2
        exit 1
    fi
    tries=0
    until curl -sf "${url%/}/ready" >/dev/null; do
        tries=$((tries + 1))
        [ "$tries" -lt 600 ] && kill -0 "$server" 2>/dev/null || { echo "test-page: it is not ready:" >&2; cat "$work/log" >&2; exit 1; }
        sleep 0.2
    done
    (cd web && LIQHEAT_URL=${url%/} npm run --silent e2e)
    kill "$server"
    wait "$server" || true
    exec 3<&-
    rm -rf "$work"
    trap - EXIT
}

against demo
recorded=${LIQHEAT_SHARED_DATA:-../shared/data}/binance-archive
if [ -d "$recorded" ]; then
    against demo --data "$recorded"
elif [ "${LIQHEAT_REQUIRE_RECORDED:-0}" = 1 ]; then
    echo "test-page: LIQHEAT_REQUIRE_RECORDED=1, but there is no $recorded" >&2
    exit 1
else
    echo "test-page: skipped recorded data: there is no $recorded"
fi
