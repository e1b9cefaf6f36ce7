#!/bin/sh
# The Python package: builds wheel and source archive, installs the wheel into an environment of its own, and runs ruff, mypy and
# the tests, which start the real server. Skipped where there is no Python 3.10, or its packages cannot be had.
#
#   scripts/test-python.sh PROGRAM OUT_FOLDER [PYTEST_ARGUMENTS..]
set -eu

program=$1
out=$2
shift 2
root=$(CDPATH= cd -- "$(dirname -- "$0")/.." && pwd)
package=$root/clients/python
venv=$root/.tools/python

python=${PYTHON:-python3}
if ! "$python" -c 'import sys, venv; sys.exit(sys.version_info < (3, 10))' 2>/dev/null; then
    exec "$root/scripts/skip.sh" test-python "needs Python 3.10 or later with venv (Debian: apt-get install python3-venv), or PYTHON=/path/to/it"
fi
# Installed again when the list of packages or the interpreter changes.
wanted=$("$python" -c 'import sys; print(sys.version)'; cat "$package/requirements-dev.txt")
if [ "$wanted" != "$(cat "$venv/installed" 2>/dev/null)" ]; then
    echo "test-python: installing its packages into .tools/python" >&2
    rm -rf "$venv"
    if ! { "$python" -m venv "$venv" &&
        "$venv/bin/pip" install --quiet --disable-pip-version-check --only-binary :all: --requirement "$package/requirements-dev.txt"; } >&2; then
        rm -rf "$venv"
        exec "$root/scripts/skip.sh" test-python "the packages of clients/python/requirements-dev.txt could not be had from PyPI; check the network"
    fi
    printf '%s\n' "$wanted" >"$venv/installed"
fi

"$root/scripts/build-python-package.sh" "$venv/bin/hatchling" "$out"
cd "$package"
"$venv/bin/pip" install --quiet --disable-pip-version-check --no-index --no-deps --force-reinstall "$out"/liqheat-*.whl

"$venv/bin/ruff" format --check --quiet . || { echo "test-python: run .tools/python/bin/ruff format clients/python" >&2; exit 1; }
"$venv/bin/ruff" check --quiet .
"$venv/bin/mypy" --no-error-summary
LIQHEAT_BIN=$program "$venv/bin/pytest" "$@"
