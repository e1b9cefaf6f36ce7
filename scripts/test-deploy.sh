#!/bin/sh
# Checks what is in deploy/ as far as that goes without starting it: alert rules and their tests with promtool, the
# unit with systemd-analyze, the rest with yamllint. A test of the program (`cargo test -p liqheat deploy`) checks that
# every metric named there exists.
#
# promtool is in Debian's package `prometheus`, installed here where that needs no asking.
set -eu

cd "$(dirname -- "$0")/../deploy"
may_install() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1
}
if ! command -v promtool >/dev/null 2>&1; then
    may_install || {
        echo "no promtool on this machine; install Prometheus (Debian: sudo apt-get install prometheus)" >&2
        exit 1
    }
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends prometheus >/dev/null
fi
promtool check config prometheus/prometheus.yml
promtool test rules prometheus/alerts_test.yml
if command -v systemd-analyze >/dev/null 2>&1; then
    # The program is not where the unit will find it; everything else must be right.
    complaints=$(systemd-analyze verify systemd/liqheat.service 2>&1 | grep -v 'liqheat is not executable' || true)
    if [ -n "$complaints" ]; then
        echo "$complaints" >&2
        exit 1
    fi
    echo "systemd/liqheat.service: right"
fi
if command -v yamllint >/dev/null 2>&1; then
    yamllint -d '{extends: relaxed, rules: {line-length: disable}}' compose.yaml prometheus grafana
    echo "yaml: right"
else
    echo "yamllint is not installed; skipped (pip install yamllint)" >&2
fi
