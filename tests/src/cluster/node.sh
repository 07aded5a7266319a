#!/bin/sh
# Process 1 of a node: in mount, process, host name and IPC namespaces of its own, and the node's network. Makes the
# places where containerd and the kubelet keep things, starts them, and stays until it is killed, which ends them all.
#
#   node.sh DIRECTORY NAME ADDRESSES PROGRAMS
#
# DIRECTORY has what the node keeps (kubelet, containerd, cni, log), its settings and `images`, archives to be known
# before the first pod. ADDRESSES are the node's, PROGRAMS the directory of the kubelet and kube-proxy.
set -eu
directory=$1 name=$2 addresses=$3 programs=$4

# Nothing that is mounted here is seen outside.
mount --make-rprivate /
hostname "$name"
for place in /run /var/lib /var/log; do
    mount -t tmpfs -o mode=755 port53-node "$place"
done
bind() {
    mkdir -p "$2"
    mount --bind "$directory/$1" "$2"
}
bind kubelet /var/lib/kubelet
bind containerd /var/lib/containerd
bind cni /var/lib/cni
bind log /var/log/pods
mkdir -p /var/log/containers /run/lock

# The kubelet sets six values of the whole machine, unless they are what it wants: it finds them so, in files.
set_machine() {
    file=/run/port53-$(echo "$1" | tr / -)
    echo "$2" >"$file"
    mount --bind "$file" "/proc/sys/$1"
}
set_machine vm/overcommit_memory 1
set_machine vm/panic_on_oom 0
set_machine kernel/panic 10
set_machine kernel/panic_on_oops 1
set_machine kernel/keys/root_maxkeys 1000000
set_machine kernel/keys/root_maxbytes 25000000
# Containers get mounts of the node while they run.
mount --make-rshared /

containerd --config "$directory/containerd.toml" >"$directory/containerd.output" 2>&1 &
until ctr version >/dev/null 2>&1; do
    sleep 0.05
done
for image in "$directory"/images/*.tar; do
    ctr --namespace k8s.io images import "$image"
done
"$programs/kubelet" --config="$directory/kubelet.json" --kubeconfig="$directory/kubeconfig" \
    --hostname-override="$name" --node-ip="$addresses" >"$directory/kubelet.output" 2>&1 &
"$programs/kube-proxy" --config="$directory/kube-proxy.json" >"$directory/kube-proxy.output" 2>&1 &
# Process 1 inherits what containers leave behind.
while :; do
    wait || :
    sleep 1
done
