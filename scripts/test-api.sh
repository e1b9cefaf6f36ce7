#!/bin/sh
# Asks a server of its own everything that /openapi.json allows and much that it does not, with schemathesis: no answer may
# be a 5xx. About a minute; made-up requests only, to the loopback address, from a fixed seed.
#
#   scripts/test-api.sh PROGRAM
set -eu

program=$1
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
. "$root/scripts/await-server.sh"
work=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; wait "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

tool=$(command -v schemathesis || true)
if [ -z "$tool" ]; then
    tool=$root/.tools/schemathesis/bin/schemathesis
    if [ ! -x "$tool" ]; then
        command -v python3 >/dev/null 2>&1 || {
            echo "test-api: no schemathesis and no Python on this machine; skipped (pip install schemathesis)" >&2
            exit 0
        }
        echo "test-api: installing schemathesis into .tools" >&2
        python3 -m venv "$root/.tools/schemathesis"
        "$root/.tools/schemathesis/bin/pip" -q install 'schemathesis>=4,<5'
    fi
fi

"$program" demo --days 1 --listen 127.0.0.1:0 --log error >"$work/out" 2>"$work/log" &
server=$!
await_server '/v1/heatmap?symbol=BTCUSDT'
address=http://$address
# Made-up symbols are unknown; most requests are to get further than that.
curl -sf "$address/openapi.json" |
    sed 's/{"minLength":1,"type":"string"}/{"enum":["BTCUSDT","BTCUSDT@sim","NONE"],"type":"string"}/g' >"$work/openapi.json"
grep -q '"BTCUSDT@sim"' "$work/openapi.json" || { echo "test-api: the schema of a symbol is not as expected" >&2; exit 1; }
cd "$work"
# An event stream has no end to wait for; its answers are in the tests of the program.
"$tool" run "$work/openapi.json" --url "$address" \
    --checks not_a_server_error,content_type_conformance,response_schema_conformance \
    --max-examples "${EXAMPLES:-25}" --seed 1 --request-timeout 10 --exclude-path /v1/stream --phases examples,coverage,fuzzing
curl -sf "$address/ready" >/dev/null || { echo "test-api: the server is not ready any more" >&2; exit 1; }
