#!/bin/sh
# The page in a real browser: against a stand-in server that can be told to misbehave, against the real program
# while it is killed and started again, and against its demo.
set -eu

root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
"$root/scripts/setup-browser.sh"

cd "$root"
cargo build --locked -q -p liqheat
program=${CARGO_TARGET_DIR:-$root/target}/debug/liqheat
(cd web && LIQHEAT_BIN=$program npm run --silent e2e)

work=$(mktemp -d)
mkfifo "$work/output"
"$program" demo --listen 127.0.0.1:0 >"$work/output" 2>"$work/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
# Opened for as long as this script runs. The first line is the address; a server that does not start closes
# the pipe without one.
exec 3<"$work/output"
read -r line <&3 || line=
url=${line#liqheat: }
if [ -z "$url" ]; then
    echo "test-page: the demo did not start:" >&2
    cat "$work/log" >&2
    exit 1
fi
(cd web && LIQHEAT_URL=${url%/} npm run --silent e2e)
