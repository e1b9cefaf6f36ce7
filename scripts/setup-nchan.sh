#!/bin/sh
# Makes sure there is an nginx with nchan for `liqheat-bench fanout` to compare with. Installs Debian's where
# that is possible without asking; elsewhere it says what to install. Prints nothing when there is one. The
# benchmark starts an nginx of its own, so no service has to run.
set -eu

for nginx in /usr/sbin/nginx /usr/local/sbin/nginx /usr/bin/nginx; do
    for module in /usr/lib/nginx/modules/ngx_nchan_module.so /usr/lib64/nginx/modules/ngx_nchan_module.so; do
        [ -x "$nginx" ] && [ -e "$module" ] && exit 0
    done
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    echo "setup-nchan: installing nginx-light and libnginx-mod-nchan"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends nginx-light libnginx-mod-nchan >/dev/null
    exit 0
fi
echo "no nginx with nchan on this machine; install them (Debian: sudo apt-get install nginx-light libnginx-mod-nchan)" >&2
exit 1
