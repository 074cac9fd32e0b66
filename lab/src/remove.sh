# Removes a lab: the processes in its namespaces, the namespaces, its directory.
# $1: the lab's id, the prefix of its namespaces' names; $2: the directory.
for ns in $(ip netns list | sed -n "s/^\($1-[^ ]*\).*/\1/p"); do
    while pids=$(ip netns pids "$ns") && [ -n "$pids" ]; do
        kill -9 $pids
        sleep 0.01
    done
    ip netns delete "$ns"
done
rm -rf "$2"
