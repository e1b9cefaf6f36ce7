#!/bin/sh
# Builds the client library and the page, unless nothing changed since the last time.
set -eu

cd "$(dirname -- "$0")/../web"
mark=.page-built
if [ -f "$mark" ] && [ -f dashboard/dist/index.html ] && [ -f client/dist/liqheat-client.js ] &&
    [ -z "$(find client dashboard package-lock.json tsconfig.base.json -newer "$mark" -type f \
        -not -path '*/dist/*' -not -path '*/node_modules/*' -print -quit)" ]; then
    exit 0
fi
npm run --silent build
touch "$mark"
