#!/bin/sh
# Installs the packages of the page as the lock file says. Does nothing while the lock file is unchanged.
set -eu

cd "$(dirname -- "$0")/../web"
mark=node_modules/.installed-for
if [ -f "$mark" ] && cmp -s package-lock.json "$mark"; then
    exit 0
fi
echo "setup-web: installing packages"
npm ci --no-audit --no-fund --loglevel=error || {
    echo "setup-web: npm could not install the packages of web/; check the network and 'npm config get registry'" >&2
    exit 1
}
cp package-lock.json "$mark"
