#!/bin/sh
# Builds Helm, with which the lab tests the chart, from the sources that go.mod pins. It is kept
# outside of the work tree, by version:
#     ${CARILLON_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carillon-lab}/helm-VERSION
set -eu
cd "$(dirname "$0")"
PATH=$PATH:/usr/local/go/bin

module=helm.sh/helm/v4
version=$(sed -n "s|^require $module ||p" go.mod)
cache=${CARILLON_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carillon-lab}/helm-$version

[ ! -x "$cache/helm" ] || exit 0
if ! command -v go >/dev/null; then
    echo "helm: not in $cache (and no go here to build it)" >&2
    exit 1
fi
echo "helm: building $version into $cache, once; this takes minutes"
mkdir -p "$cache"
CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags="-s -w" -o "$cache/.helm.$$" "$module/cmd/helm"
mv "$cache/.helm.$$" "$cache/helm"
