#!/bin/sh
# Builds the container image and leaves it as an OCI archive: target/image/carillon-ARCH.tar.
# ARCH (amd64, arm64) and IMAGE (the image's name) can be set; outside a git tree CARILLON_REVISION
# and SOURCE_DATE_EPOCH must be. Nothing of it stays with buildah.
set -eu
cd "$(dirname "$0")/../.."

version=$(cargo pkgid --package carillon)
version=${version##*[#@]}
arch=${ARCH:-amd64}
image=${IMAGE:-localhost/carillon:$version}
out=$PWD/target/image

case $arch in
    amd64) machine=x86_64 ;;
    arm64) machine=aarch64 ;;
    *) echo "image: ARCH=$arch is not known; give amd64 or arm64" >&2; exit 1 ;;
esac
target=$machine-unknown-linux-musl
# The C parts of the dependencies include no header of a C library, so glibc's compiler will do.
cc=gcc
[ "$machine" = "$(uname -m)" ] || cc=$machine-linux-gnu-gcc
for tool in buildah "$cc"; do
    command -v "$tool" >/dev/null || { echo "image: $tool is missing" >&2; exit 1; }
done
# The target's standard library. Without rustup it is a package of whoever packaged the compiler.
if ! [ -d "$(rustc --print sysroot)/lib/rustlib/$target" ]; then
    if ! command -v rustup >/dev/null; then
        echo "image: this Rust has no standard library for $target: install it" >&2
        exit 1
    fi
    rustup target add "$target"
fi
variable=$(echo "$target" | tr - _)
export "CC_$variable=$cc" "CARGO_TARGET_$(echo "$variable" | tr a-z A-Z)_LINKER=$cc"

revision=${CARILLON_REVISION:-$(git describe --always --abbrev=12 --exclude='*' --dirty)}
created=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct)}
CARILLON_REVISION=$revision cargo build --release --package carillon --target "$target"
program=${CARGO_TARGET_DIR:-target}/$target/release/carillon

rm -rf "$out/context"
mkdir -p "$out/context"
cp "$program" "$out/context/"
# buildah makes a directory for networks, and would do so in /etc.
printf '[network]\nnetwork_config_dir = "%s"\n' "$out/run/network" >"$out/containers.conf"
export CONTAINERS_CONF="$out/containers.conf"
buildah() {
    command buildah --root "$out/storage" --runroot "$out/run" --storage-driver vfs "$@"
}
clean() {
    buildah rmi --all --force >/dev/null 2>&1 || true
    rm -rf "$out/storage" "$out/run" "$out/context" "$out/containers.conf"
}
trap clean EXIT
trap 'exit 1' HUP INT TERM

label=org.opencontainers.image
buildah build --quiet --isolation chroot --platform "linux/$arch" --timestamp "$created" \
    --label "$label.title=Carillon" \
    --label "$label.description=Announces the addresses of Kubernetes Services to the network" \
    --label "$label.licenses=Apache-2.0" \
    --label "$label.version=$version" \
    --label "$label.revision=$revision" \
    --file manifests/image/Containerfile --tag "$image" "$out/context" >/dev/null
archive=$out/carillon-$arch.tar
rm -f "$archive"
buildah push --quiet "$image" "oci-archive:$archive:$image"
if [ "$(stat -c %s "$archive")" -ge 12000000 ]; then
    echo "image: $archive has $(stat -c %s "$archive") bytes; it should have less than 12 MB" >&2
    exit 1
fi
echo "image: $image, program $(stat -c %s "$program") bytes, in $archive"
