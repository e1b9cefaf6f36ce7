#!/bin/sh
# Makes sure that the servers are there which the tests of several liqheat servers start by themselves:
# redis-server with redis-cli, nginx, and openssl for a certificate. Installs Debian's where that is possible
# without asking; elsewhere it says what to install. Prints nothing when all are there. No service has to run.
set -eu

missing=
for program in redis-server redis-cli nginx openssl; do
    command -v "$program" >/dev/null 2>&1 || [ -x "/usr/sbin/$program" ] || missing="$missing $program"
done
[ -z "$missing" ] && exit 0
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setup-services: installing redis-server, nginx-light and openssl (for$missing)"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends redis-server nginx-light openssl >/dev/null
    exit 0
fi
echo "missing:$missing; install them (Debian: sudo apt-get install redis-server nginx-light openssl)" >&2
exit 1
