#!/bin/sh
# Packs one archive that runs on a bare Debian (or anything with glibc and libstdc++): the program, libduckdb, licences,
# units and configurations, documents. Prints where it is. `make dist` builds the program first.
#
#   scripts/dist.sh PROGRAM OUT_FOLDER
set -eu

program=$1
out=$2
cd "$(dirname -- "$0")/.."
version=$("$program" --version | cut -d ' ' -f 2)
target=$(rustc -vV | sed -n 's/^host: //p')
name=liqheat-$version-$target
mkdir -p "$out"
out=$(cd "$out" && pwd)
work=$(mktemp -d "$out/packing.XXXXXX")
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM

folder=$work/$name
mkdir -p "$folder/docs" "$folder/load"
cp "$program" "$folder/liqheat"
cp .tools/duckdb/lib/libduckdb.* "$folder/"
cp LICENSE-MIT LICENSE-APACHE README.md CHANGELOG.md "$folder/"
cp -R docs/*.md docs/images docs/decisions "$folder/docs/"
cp load/*.js "$folder/load/"
cp -R deploy "$folder/deploy"
node scripts/licences.mjs >"$folder/THIRD-PARTY.txt"
chmod -R u=rwX,go=rX "$folder"

# The same files give the same archive.
tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}" \
    -C "$work" -cf - "$name" | gzip -n >"$work/archive"
mv "$work/archive" "$out/$name.tar.gz"
(cd "$out" && sha256sum "$name.tar.gz" >"$name.tar.gz.sha256")
echo "$out/$name.tar.gz"
