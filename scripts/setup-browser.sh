#!/bin/sh
# Makes sure there is a Chromium for the tests of the page. Installs Debian's where that is possible without
# asking; elsewhere it says what to install. Prints nothing when there is one.
set -eu

for name in "${CHROMIUM:-}" chromium chromium-browser google-chrome; do
    [ -n "$name" ] && command -v "$name" >/dev/null 2>&1 && exit 0
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setup-browser: installing chromium"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-dejavu-core >/dev/null
    exit 0
fi
echo "no Chromium on this machine; install one (Debian: sudo apt-get install chromium) or name one with CHROMIUM=/path" >&2
exit 1
