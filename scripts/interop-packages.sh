#!/usr/bin/env bash
# The two client packages as somebody gets them: packed, looked through, installed in a clean place away from the repository,
# and asked for a state of a server.
#
#   scripts/interop-packages.sh http://127.0.0.1:PORT
set -euo pipefail

url=$1
root="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
venv="$root/.tools/packages"
work="$(mktemp -d)"
trap 'rm -rf "$work"' EXIT

# Lines of a listing that do not fit the pattern are files that nobody asked for.
expect_only() {
    local stray
    stray="$(grep -vE "$2" || true)"
    [ -z "$stray" ] || { printf 'interop-packages: stray files in %s:\n%s\n' "$1" "$stray" >&2; exit 1; }
}
expect() {
    local name
    for name in "${@:2}"; do
        grep -qF -- "$name" "$1" || { echo "interop-packages: $name is missing from $(basename "$1" .list)" >&2; exit 1; }
    done
}

# --- npm ---

(cd "$root/web/client" && npm pack --silent --pack-destination "$work" >/dev/null)
tar -tzf "$work"/liqheat-client-*.tgz >"$work/npm.list"
expect "$work/npm.list" package/README.md package/LICENSE-MIT package/LICENSE-APACHE package/dist/liqheat-client.js \
    package/dist/liqheat-client.node.js package/dist/liqheat-client.script.js package/dist/types/index.d.ts
expect_only 'the npm package' '^package/(package\.json|README\.md|LICENSE-(MIT|APACHE)|dist/liqheat-client(\.node|\.script)?\.js|dist/types/[a-z/.-]+\.d\.ts)$' <"$work/npm.list"

mkdir "$work/js"
cd "$work/js"
echo '{"private":true,"type":"module"}' >package.json
npm install --silent --offline --no-audit --no-fund --no-save "$work"/liqheat-client-*.tgz
# Node has a WebSocket of its own since version 22.
node -e 'process.exit(typeof WebSocket === "undefined")' 2>/dev/null || cp -r "$root/web/node_modules/ws" node_modules/
cat >follow.ts <<'END'
import { type AlertsFrame, HeatmapWebSocket, type SnapshotFrame } from 'liqheat-client';

const show = (state: SnapshotFrame): void => {
    const heaviest = state.data.levels.toSorted((a, b) => b.long_density - a.long_density)[0];
    console.log(`npm: ${state.symbol} seq ${state.seq} at ${state.data.current_price}, most longs at ${heaviest?.price}`);
    ws.disconnect();
};
const ws: HeatmapWebSocket = new HeatmapWebSocket(ADDRESS, {
    onSnapshot: show,
    onAlerts: (message: AlertsFrame) => console.log(message.data[0]?.subject.kind),
});
ws.connect();
ws.subscribe(['BTCUSDT']);
END
sed -i "s|ADDRESS|'ws${url#http}/ws/heatmap'|" follow.ts
node "$root/web/node_modules/typescript/bin/tsc" --strict --target es2023 --lib es2023,dom --module nodenext --types '' follow.ts
timeout 60 node follow.js >said
grep -E '^npm: BTCUSDT seq [0-9]+ at [0-9.]+, most longs at [0-9.]+$' said

# --- PyPI ---

if ! "$venv/bin/python" -c 'import hatchling, httpx, pandas, websockets' 2>/dev/null; then
    if ! { python3 -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check 'hatchling>=1.26' 'websockets>=14' 'httpx>=0.27' 'pandas>=2.1'; } >&2; then
        exec "$root/scripts/skip.sh" interop-packages 'of Python: needs python3 with venv, and from PyPI: hatchling websockets httpx pandas'
    fi
fi
"$root/scripts/build-python-package.sh" "$venv/bin/hatchling" "$work/python"
tar -tzf "$work"/python/liqheat-*.tar.gz >"$work/sdist.list"
python3 -m zipfile --list "$work"/python/liqheat-*.whl | awk 'NR > 1 { print $1 }' >"$work/wheel.list"
expect "$work/sdist.list" /README.md /LICENSE-MIT /LICENSE-APACHE /pyproject.toml /src/liqheat/py.typed
expect_only 'the source archive' '^liqheat-[0-9.]+/(README\.md|LICENSE-(MIT|APACHE)|pyproject\.toml|PKG-INFO|\.gitignore|src/liqheat/([a-z_]+/)*([a-z_]+\.py|py\.typed))$' <"$work/sdist.list"
expect "$work/wheel.list" liqheat/__init__.py liqheat/py.typed LICENSE-MIT LICENSE-APACHE METADATA
expect_only 'the wheel' '^liqheat(/([a-z_]+/)*([a-z_]+\.py|py\.typed)|-[0-9.]+\.dist-info/[A-Za-z/-]+)$' <"$work/wheel.list"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-index --no-deps --force-reinstall "$work"/python/liqheat-*.whl

mkdir "$work/py"
cd "$work/py"
cat >follow.py <<'END'
import sys
from pathlib import Path

import liqheat

assert Path(liqheat.__file__).is_relative_to(sys.prefix), liqheat.__file__
with liqheat.BlockingHeatmap(sys.argv[1]) as heatmap:
    heatmap.subscribe("BTCUSDT")
    heatmap.wait_for_state("BTCUSDT", timeout=60)
    frame = heatmap.to_dataframe()
assert list(frame.columns) == ["symbol", "time", "price", "long_density", "short_density"], frame.columns
assert len(frame) > 0
print(f"PyPI: liqheat {liqheat.__version__}")
print(frame.nlargest(3, "long_density").to_string(index=False))
END
"$venv/bin/python" -W error follow.py "$url"
