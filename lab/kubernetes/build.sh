#!/bin/sh
# Builds the programs of Kubernetes that the lab runs and this machine lacks, from the sources that
# go.mod pins. They are kept outside of the work tree, by version:
#     ${CARILLON_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carillon-lab}/kubernetes-VERSION
# Nothing is built when KUBEBUILDER_ASSETS names a directory that has them all.
set -eu
cd "$(dirname "$0")"
PATH=$PATH:/usr/local/go/bin

programs="kube-apiserver kubectl kube-controller-manager kube-scheduler kube-proxy kubelet"
version=$(sed -n 's|^require k8s.io/kubernetes ||p' go.mod)
cache=${CARILLON_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carillon-lab}/kubernetes-$version

# The programs that a directory lacks.
missing() {
    for program in $programs; do
        [ -x "$1/$program" ] || echo "$program"
    done
}

if [ -n "${KUBEBUILDER_ASSETS:-}" ] && [ -z "$(missing "$KUBEBUILDER_ASSETS")" ]; then
    exit 0
fi
needed=$(missing "$cache" | tr '\n' ' ')
if [ -z "$needed" ]; then
    exit 0
fi
if ! command -v go >/dev/null; then
    echo "kubernetes: not in $cache: ${needed}(and no go here to build them)" >&2
    exit 1
fi
echo "kubernetes: building $version into $cache, once; this takes minutes: $needed"
mkdir -p "$cache"
for program in $needed; do
    CGO_ENABLED=0 go build -mod=readonly -trimpath \
        -ldflags="-s -w -X k8s.io/component-base/version.gitVersion=$version" \
        -o "$cache/.$program.$$" "k8s.io/kubernetes/cmd/$program"
    mv "$cache/.$program.$$" "$cache/$program"
    echo "kubernetes: $program is built"
done
