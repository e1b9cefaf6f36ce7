#!/bin/sh
# k6 with 1,000 viewers for ten minutes against a server whose states carry the time of the clock, so that the latency is of states and
# not only of pongs. Prints CPU and memory of the server, stops it. All on the loopback address; ends by itself.
#
# Viewers get differences after their first state, as the client libraries ask for; MODE=snapshot gives them whole states, and measures
# mostly k6, which takes most of a second to read a thousand of them.
#
#   [MODE=delta] scripts/load-states.sh PROGRAM_BENCH [VIEWERS=1000] [SECONDS=600] [STATES_A_SECOND=0.2]
set -eu

program=$1
viewers=${2:-1000}
seconds=${3:-600}
hz=${4:-0.2}
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/await-server.sh"
k6=$("$root/scripts/setup-k6.sh")
work=$(mktemp -d)
server=
stop() {
    exec 3>&- || true
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

# The server begins at a line on its standard input and ends with it.
mkfifo "$work/in"
"$program" server --hz "$hz" --levels 560 --changes 80 --connections $((viewers * 2)) --log error <"$work/in" >"$work/out" 2>"$work/log" &
server=$!
exec 3>"$work/in"
await_server /live
echo go >&3
status=0
"$k6" run --quiet -e "URL=ws://$address/ws/heatmap" -e SYMBOLS=BENCH0USDT -e "MODE=${MODE:-delta}" -e UPDATE_INTERVAL=1 -e "STAGES=30s:$viewers,${seconds}s:$viewers,15s:0" \
    "$root/load/ws_load_test.js" || status=$?
echo "the server, afterwards (CPU seconds, seconds since its start, resident KB):"
ps -o cputimes=,etimes=,rss= -p "$server"
exit "$status"
