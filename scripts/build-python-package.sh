#!/bin/sh
# Builds the Python package: the source archive, and from it the wheel, as it is when somebody installs the archive.
#
#   scripts/build-python-package.sh HATCHLING OUT_FOLDER
set -eu

hatchling=$1
out=$2
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)

mkdir -p "$out"
rm -f "$out"/liqheat-*
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 1' HUP INT TERM
(cd "$root/clients/python" && "$hatchling" build --target sdist --directory "$out" >/dev/null)
tar -xzf "$out"/liqheat-*.tar.gz -C "$work" --strip-components 1
(cd "$work" && "$hatchling" build --target wheel --directory "$out" >/dev/null)
