#!/bin/sh
# Makes sure there is a k6 for `make load`. Builds it with Go where there is none, which takes some minutes; prints
# where it is.
set -eu

VERSION=v1.8.1
for k6 in "${K6:-}" "$(command -v k6 || true)" "$(go env GOBIN 2>/dev/null)/k6" "$(go env GOPATH 2>/dev/null)/bin/k6"; do
    if [ -n "$k6" ] && [ -x "$k6" ]; then
        echo "$k6"
        exit 0
    fi
done
if ! command -v go >/dev/null 2>&1; then
    echo "no k6 and no Go on this machine; install Go 1.24 or later (https://go.dev/dl), or k6 itself, and name it with K6=/path" >&2
    exit 1
fi
echo "setup-k6: building k6 $VERSION; this takes some minutes" >&2
go install "go.k6.io/k6@$VERSION"
bin=$(go env GOBIN)
echo "${bin:-$(go env GOPATH)/bin}/k6"
