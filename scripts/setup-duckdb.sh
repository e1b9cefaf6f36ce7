#!/bin/sh
# Fetches the ready-made libduckdb that the build links against, so that nobody has to compile DuckDB
# (about 24 minutes). It comes from the npm package of DuckDB's own node bindings, which carries the plain
# C library, with the ordinary npm client; its sha256 is checked before it is put into .tools/duckdb/lib.
#
# Running it again does nothing and says nothing. The version must be the one that the pinned crate `duckdb`
# was made for (1.10506.x is DuckDB 1.5.6): change both together, here and in Cargo.toml.
#
#   scripts/setup-duckdb.sh            the library for this machine
#   DUCKDB_SHA256=.. scripts/..        the checksum to expect, for a platform without a pinned one below
set -eu

VERSION=1.5.6-r.1
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
home=$root/.tools/duckdb

fail() {
    echo "setup-duckdb: $1" >&2
    exit 1
}

have() {
    command -v "$1" >/dev/null 2>&1
}

case "$(uname -s)/$(uname -m)" in
Linux/x86_64) platform=linux-x64 library=libduckdb.so
    pinned=3f4962cdd266eab2b479a5b5a4a6d063d279b2954ae814ed00385d553b747633 ;;
Linux/aarch64 | Linux/arm64) platform=linux-arm64 library=libduckdb.so pinned= ;;
Darwin/arm64) platform=darwin-arm64 library=libduckdb.dylib pinned= ;;
Darwin/x86_64) platform=darwin-x64 library=libduckdb.dylib pinned= ;;
*) fail "no ready-made libduckdb for $(uname -s) on $(uname -m); build with '--features bundled', which compiles DuckDB (needs a C++ compiler and about 24 minutes)" ;;
esac
expected=${DUCKDB_SHA256:-$pinned}
package=@duckdb/node-bindings-$platform

sha256_of() {
    if have sha256sum; then
        sha256sum "$1" | cut -d ' ' -f 1
    elif have shasum; then
        shasum -a 256 "$1" | cut -d ' ' -f 1
    else
        fail "neither sha256sum nor shasum is installed; one of them is needed to check what was downloaded"
    fi
}

# Already there: the right bytes, or (where no checksum is pinned) the right version as noted by an earlier run.
if [ -f "$home/lib/$library" ]; then
    if [ -n "$expected" ]; then
        [ "$(sha256_of "$home/lib/$library")" = "$expected" ] && exit 0
        echo "setup-duckdb: $home/lib/$library is another version; replacing it"
    elif [ "$(cat "$home/version" 2>/dev/null)" = "$VERSION" ]; then
        exit 0
    fi
fi

have npm || fail "npm is not installed; it fetches libduckdb. Install Node.js (20 or later), or build with '--features bundled'"
have tar || fail "tar is not installed; it unpacks libduckdb"

mkdir -p "$home/lib" || fail "cannot create $home/lib; check its permissions"
# Inside .tools, so that the last step is a rename on one file system: nobody ever sees half a library.
work=$(mktemp -d "$home/fetch.XXXXXX") || fail "cannot create a folder in $home; check its permissions and the free space"
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

echo "setup-duckdb: fetching $package $VERSION (about 24 MB)"
(cd "$work" && npm pack --silent "$package@$VERSION") >"$work/npm.log" 2>&1 || {
    cat "$work/npm.log" >&2
    fail "npm could not fetch $package@$VERSION; check the network and 'npm config get registry', or build with '--features bundled'"
}
tar -xzf "$work"/*.tgz -C "$work" || fail "the package does not unpack; is the disk full?"
found=$work/package/$library
[ -f "$found" ] || fail "$package $VERSION holds no $library; did its layout change?"

actual=$(sha256_of "$found")
if [ -z "$expected" ]; then
    echo "setup-duckdb: no checksum is pinned for $platform; npm's own integrity check passed; sha256 is $actual" >&2
elif [ "$actual" != "$expected" ]; then
    fail "sha256 of $library is $actual, expected $expected; not installed"
fi

cp "$work/package/LICENSE" "$home/LICENSE" 2>/dev/null || true
chmod 755 "$found"
mv -f "$found" "$home/lib/$library"
echo "$VERSION" >"$home/version"
echo "setup-duckdb: installed $home/lib/$library"
