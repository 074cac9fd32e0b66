#!/bin/sh
# Builds MetalLB's controller and speaker, which the benchmarks run beside Carillon, from the sources
# that go.mod pins, and puts its resource definitions and its manifest beside them, outside of the
# work tree:
#     ${CARILLON_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carillon-lab}/metallb-VERSION
set -eu
cd "$(dirname "$0")"
PATH=$PATH:/usr/local/go/bin

module=go.universe.tf/metallb
version=$(sed -n "s|^require $module ||p" go.mod)
cache=${CARILLON_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carillon-lab}/metallb-$version
manifest=metallb-native.yaml

if [ -x "$cache/controller" ] && [ -x "$cache/speaker" ] && [ -d "$cache/crd" ] &&
    [ -f "$cache/$manifest" ]; then
    exit 0
fi
if ! command -v go >/dev/null; then
    echo "metallb: not in $cache (and no go here to build it)" >&2
    exit 1
fi
echo "metallb: building $version into $cache, once; this takes minutes"
mkdir -p "$cache/.$$"
for program in controller speaker; do
    CGO_ENABLED=0 go build -mod=readonly -trimpath -ldflags="-s -w" \
        -o "$cache/.$$/$program" "$module/$program"
done
sources=$(go list -mod=readonly -m -f '{{.Dir}}' "$module")
cp -R "$sources/config/crd/bases" "$cache/.$$/crd"
cp "$sources/config/manifests/$manifest" "$cache/.$$"
chmod -R u+w "$cache/.$$"
rm -rf "$cache/crd"
mv "$cache/.$$"/* "$cache"
rmdir "$cache/.$$"
