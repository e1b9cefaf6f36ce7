#!/usr/bin/env bash
# Python's websockets against the demo. The package comes from PyPI into a folder of its own; where that cannot be
# had the test is skipped and says so.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.tools/interop"
if ! "$venv/bin/python" -c 'import websockets.asyncio' 2>/dev/null; then
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check 'websockets>=14'; } >&2; then
        echo "test-interop: skipped: needs python3 with venv, and the package websockets from PyPI" >&2
        exit 0
    fi
fi
cd "$root"
cargo build --locked -q -p liqheat
program="${CARGO_TARGET_DIR:-$root/target}/debug/liqheat"
work="$(mktemp -d)"
mkfifo "$work/output"
WS_UPDATE_INTERVAL=0.5 "$program" demo --listen 127.0.0.1:0 >"$work/output" 2>"$work/log" &
server=$!
trap 'kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; rm -rf "$work"' EXIT
# Opened for as long as this script runs. The first line is the address; a server that does not start closes
# the pipe without one.
exec 3<"$work/output"
read -r line <&3 || line=
url="${line#liqheat: http}"
if [ -z "$line" ]; then
    echo "test-interop: the demo did not start:" >&2
    cat "$work/log" >&2
    exit 1
fi
"$venv/bin/python" scripts/interop.py "ws${url}ws/heatmap"
