#!/bin/sh
# Starts the demo so that one address may have all sockets, runs load/ws_load_test.js with k6, prints CPU and memory of the
# server, stops it. Everything stays on the loopback address and ends by itself.
#
#   scripts/load-demo.sh PROGRAM [ARGUMENTS OF K6..]
set -eu

program=$1
shift
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/await-server.sh"
k6=$("$root/scripts/setup-k6.sh")
work=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

"$program" demo --listen 127.0.0.1:0 --log warn \
    --ws-max-connections-per-address 5000 --ws-max-new-connections-per-minute 100000 >"$work/out" 2>"$work/log" &
server=$!
await_server /ready
status=0
"$k6" run --quiet -e "URL=ws://$address/ws/heatmap" "$@" "$root/load/ws_load_test.js" || status=$?
echo "the server, afterwards (CPU seconds, seconds since its start, resident KB):"
ps -o cputimes=,etimes=,rss= -p "$server"
exit "$status"
