#!/bin/sh
# Installs what the lab needs and this machine lacks, with Debian's package manager; does nothing
# when everything is there. The system services that come along are neither started nor enabled.
set -eu
PATH=$PATH:/usr/sbin:/sbin

# A command, the package that has it, and the system service that comes with it.
needed="
cc              gcc
c++             g++
/usr/lib/frr/bgpd frr           frr
bird            bird2           bird
gobgpd          gobgpd          gobgpd
keepalived      keepalived      keepalived
ip              iproute2
nft             nftables
ping            iputils-ping
arping          arping
ndisc6          ndisc6
faketime        faketime
tcpdump         tcpdump
curl            curl
openssl         openssl
etcd            etcd-server     etcd
containerd      containerd      containerd
runc            runc
buildah         buildah
/usr/lib/cni/bridge containernetworking-plugins
"

packages=
services=
while read -r command package service; do
    if [ -n "$command" ] && ! command -v "$command" >/dev/null; then
        packages="$packages $package"
        services="$services $service"
    fi
done <<LIST
$needed
LIST

if [ -z "$packages" ]; then
    echo "setup: every tool of the lab is there"
    exit 0
fi
if ! command -v apt-get >/dev/null; then
    echo "setup: no apt-get here; install by other means what these Debian packages have:$packages" >&2
    exit 1
fi
if [ "$(id -u)" != 0 ]; then
    echo "setup: these packages are missing:$packages; go on with: sudo sh lab/setup.sh" >&2
    exit 1
fi

# Debian starts the services of a package when it installs it, unless this file says no.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
    trap 'rm -f "$policy"' EXIT
    trap 'exit 1' HUP INT TERM
fi

echo "setup: installing$packages"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
# shellcheck disable=SC2086 # the lists are lists of words
apt-get install -q -y --no-install-recommends $packages
if command -v systemctl >/dev/null; then
    for service in $services; do
        systemctl disable --quiet "$service" || echo "setup: could not disable $service.service"
    done
fi
echo "setup: done"
