# Removes a lab: the processes in its namespaces, the namespaces, its directory.
# $1: the lab's id, the prefix of its namespaces' names; $2: the directory.
for ns in $(ip netns list | sed -n "s/^\($1-[^ ]*\).*/\1/p"); do
    while pids=$(ip netns pids "$ns") && [ -n "$pids" ]; do
        kill -9 $pids
        sleep 0.01
    done
    ip netns delete "$ns"
done
# The control groups of a cluster's pods. The processes in them may take a moment to end.
for try in $(seq 100); do
    groups=$(find /sys/fs/cgroup -depth -type d -path "*/$1-*")
    [ -n "$groups" ] || break
    rmdir $groups || sleep 0.05
done
rm -rf "$2"
