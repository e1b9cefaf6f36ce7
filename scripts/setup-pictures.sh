#!/bin/sh
# Makes sure that img2webp is there, which puts the frames of the README's animation together. Installs Debian's where that is
# possible without asking; elsewhere it says what to install. Prints nothing when there is one.
set -eu

command -v img2webp >/dev/null 2>&1 && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setup-pictures: installing webp"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends webp >/dev/null
    exit 0
fi
echo "no img2webp on this machine; install it (Debian: sudo apt-get install webp)" >&2
exit 1
