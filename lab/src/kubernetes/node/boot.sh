# The first process of a node, in mount, process and host-name namespaces of its own: all that the
# node mounts, and every process of its pods, goes when this process goes.
# $1: the node's name; $2: its directory; $3: the lab's directory; $4: the directory of the programs
# of Kubernetes; $5: the name of the node's control group.
set -eu
PATH=$PATH:/usr/sbin:/sbin
hostname "$1"
mount -t proc proc /proc

# Names of network namespaces would keep those of other labs alive.
umount --recursive --lazy /run/netns || :

mkdir -p "$2/programs" "$2/run" "$2/var/lib" "$2/var/log" "$2/var/tmp" "$2/sysctl" "$2/groups"
mount --bind "$4" "$2/programs"
mount -t tmpfs tmpfs "$2/run"
mkdir -p "$2$3"
mount --bind "$3" "$2$3"
mount --bind "$2/programs" "$2$2/programs"
mount --bind "$2/var" /var
ln -sfn /run /var/run
mount --rbind "$2/run" /run

# Containers' control groups are below one that is named after the lab.
while read -r _ directory type _; do
    case $type in
    cgroup | cgroup2)
        mkdir -p "$directory/$5"
        for file in cpuset.cpus cpuset.mems; do
            [ ! -e "$directory/$file" ] || cat "$directory/$file" >"$directory/$5/$file"
        done
        # In the place of the whole tree: runc takes the first that it finds.
        mount --bind "$directory/$5" "$2/groups"
        umount "$directory"
        mount --move "$2/groups" "$directory"
        ;;
    esac
done <<MOUNTS
$(cat /proc/mounts)
MOUNTS

# What kubelet sets would be for the whole machine: it sets files instead.
while read -r key value; do
    echo "$value" >"$2/sysctl/${key##*/}"
    mount --bind "$2/sysctl/${key##*/}" "/proc/sys/$key"
done <<SYSCTLS
vm/overcommit_memory 1
vm/panic_on_oom 0
kernel/panic 10
kernel/panic_on_oops 1
kernel/keys/root_maxkeys 1000000
kernel/keys/root_maxbytes 25000000
SYSCTLS

mount --make-rshared /
echo "$1 is up"
touch "$2/up"
# Orphans become children of this process; wait reaps them.
sleep infinity &
while :; do wait; done
