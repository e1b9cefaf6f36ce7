#!/bin/sh
# Ends a check that cannot run on this machine: says what is missing, and fails where LIQHEAT_REQUIRE_TOOLS=1, so that a gate
# that must run everything is not green because a tool was missing.
#
#   exec scripts/skip.sh NAME WHAT_IS_MISSING
set -eu

echo "$1: skipped: $2" >&2
if [ "${LIQHEAT_REQUIRE_TOOLS:-0}" = 1 ]; then
    echo "$1: LIQHEAT_REQUIRE_TOOLS=1, so this is a failure" >&2
    exit 1
fi
