#!/bin/sh
# Unpacks an archive of `make dist` and runs it as a bare Debian would: in a root that has nothing but the archive and the
# system libraries the program names (unshare and chroot, where that is allowed), else with an empty environment.
#
#   scripts/test-dist.sh ARCHIVE
set -eu

archive=$1
work=$(mktemp -d)
server=
stop() {
    if [ -n "$server" ]; then kill "$server" 2>/dev/null || true; fi
    rm -rf "$work"
}
trap stop EXIT
trap 'exit 1' HUP INT TERM

fail() {
    echo "test-dist: $1" >&2
    [ -f "$work/log" ] && cat "$work/log" >&2
    exit 1
}

mkdir -p "$work/root/opt" "$work/root/tmp" "$work/root/proc" "$work/root/dev"
tar -xzf "$archive" -C "$work/root/opt"
mv "$work"/root/opt/liqheat-* "$work/root/opt/liqheat"
home=$work/root/opt/liqheat
for file in LICENSE-MIT LICENSE-APACHE THIRD-PARTY.txt deploy/systemd/liqheat.service deploy/nginx deploy/liqheat.toml docs/operations.md; do
    [ -e "$home/$file" ] || fail "$file is not in the archive"
done
[ "$(grep -c ': ' "$home/THIRD-PARTY.txt")" -gt 100 ] || fail "THIRD-PARTY.txt is nearly empty"

# What the program needs of the system, and nothing else; libduckdb must be the one beside it.
needed=$(env -i ldd "$home/liqheat" "$home"/libduckdb.so | sed -n 's/.*=> \(\/[^ ]*\).*/\1/p; s/^\t\(\/[^ ]*ld-linux[^ ]*\).*/\1/p' | sort -u)
echo "$needed" | grep -q "^$home/libduckdb.so$" || fail "libduckdb is not taken from beside the program: $needed"
for library in $needed; do
    case $library in
    "$home"/*) ;;
    *)
        mkdir -p "$work/root$(dirname "$library")"
        cp -L "$library" "$work/root$library"
        ;;
    esac
done

# /proc is mounted for it alone: the loader finds out there where the program lies.
in_bare_root() {
    # shellcheck disable=SC2016
    exec unshare --mount sh -c 'mount --make-rprivate / && mount -t proc proc "$0/proc" && exec env -i "$(command -v chroot)" "$0" /opt/liqheat/liqheat "$@"' \
        "$work/root" "$@"
}
if (in_bare_root --version) >"$work/log" 2>&1; then
    how="a root of its own with $(find "$work/root/lib"* -type f | wc -l) system libraries"
    run() { in_bare_root "$@"; }
else
    how="an empty environment"
    run() { cd / && exec env -i "$home/liqheat" "$@"; }
fi
run demo --days 1 --listen 127.0.0.1:0 >"$work/out" 2>"$work/log" &
server=$!
tries=0
until grep -q '^liqheat: http' "$work/out" 2>/dev/null; do
    kill -0 "$server" 2>/dev/null || fail "it ended by itself"
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || fail "no address printed within a minute"
    sleep 0.2
done
address=$(sed -n 's/^liqheat: \(http[^ ]*\)\/$/\1/p' "$work/out")
curl -sf "$address/live" >/dev/null || fail "/live does not answer"
curl -sf "$address/" | grep -qi '<!doctype html>' || fail "there is no page in it"
tries=0
until curl -sf "$address/v1/heatmap?symbol=BTCUSDT" | grep -q '"type":"snapshot"'; do
    tries=$((tries + 1))
    [ "$tries" -lt 300 ] || fail "no state within a minute"
    sleep 0.2
done
kill -TERM "$server"
wait "$server" || fail "it did not stop in order"
server=
echo "test-dist: runs from $how: page, state, stop in order"
