#!/usr/bin/env bash
# Published clients against the demo: Python's websockets, a client of the Coinglass API, the SDK of the Model Context
# Protocol, and the two packages of this repository as somebody gets them. What comes from PyPI goes into a folder of its
# own; where it cannot be had the test is skipped and says so.
set -euo pipefail

root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.tools/interop"
packages=('websockets>=14' 'coinglass-terminal-tools==0.2.0' 'mcp==2.3.0')
if ! "$venv/bin/python" -c 'import websockets.asyncio, coinglass, mcp' 2>/dev/null; then
    if ! { python3 -m venv "$venv" && "$venv/bin/pip" install --quiet --disable-pip-version-check "${packages[@]}"; } >&2; then
        exec "$root/scripts/skip.sh" test-interop "needs python3 with venv, and from PyPI: ${packages[*]}"
    fi
fi
cd "$root"
program="${CARGO_TARGET_DIR:-$root/target}/debug/liqheat"
work="$(mktemp -d)"
mkfifo "$work/output"
WS_UPDATE_INTERVAL=0.5 "$program" demo --days 2 --listen 127.0.0.1:0 >"$work/output" 2>"$work/log" &
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
"$venv/bin/python" scripts/interop-coinglass.py "http$url"
"$venv/bin/python" scripts/interop-mcp.py "http$url"
scripts/interop-packages.sh "http${url%/}"
