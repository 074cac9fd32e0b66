#!/bin/sh
# Builds the programs of Kubernetes that the lab runs and this machine lacks, from the sources that
# go.mod pins. They are kept outside of the work tree, by version:
#     ${CARILLON_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carillon-lab}/kubernetes-VERSION
# Nothing is built when KUBEBUILDER_ASSETS names a directory that has them all. Exits with 2 if they
# cannot be built, but those of an API server are there: envtest's assets have no others.
set -eu
cd "$(dirname "$0")"
PATH=$PATH:/usr/local/go/bin

api_server="kube-apiserver kubectl"
programs="$api_server kube-controller-manager kube-scheduler kube-proxy kubelet"
version=$(sed -n 's|^require k8s.io/kubernetes ||p' go.mod)
cache=${CARILLON_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/carillon-lab}/kubernetes-$version

# Which of these programs a directory lacks: missing DIRECTORY PROGRAM…
missing() {
    directory=$1
    shift
    for program in "$@"; do
        [ -x "$directory/$program" ] || echo "$program"
    done
}

assets=${KUBEBUILDER_ASSETS:-$cache}
# The lists are lists of words.
# shellcheck disable=SC2086
[ -n "$(missing "$assets" $programs)" ] || exit 0
# shellcheck disable=SC2086
needed=$(missing "$cache" $programs | tr '\n' ' ')
if [ -z "$needed" ]; then
    exit 0
fi
if ! command -v go >/dev/null; then
    echo "kubernetes: not in $cache: ${needed}(and no go here to build them)" >&2
    for directory in "$assets" "$cache"; do
        # shellcheck disable=SC2086
        [ -n "$(missing "$directory" $api_server)" ] || exit 2
    done
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
