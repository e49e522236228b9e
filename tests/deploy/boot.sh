#!/bin/sh
# boot.sh ROOT: systemd as process 1 on the tree at ROOT, in namespaces of its own; it ends with `systemctl poweroff`.
# Its control groups are below one of this machine's version 2 tree, mounted here because the machine may hide it.
set -eu
if [ -z "${INSIDE:-}" ]; then
    mount --make-rprivate /
    groups=$(mktemp -d)
    mount -t cgroup2 none "$groups"
    mkdir "$groups/boot-$$"
    echo $$ >"$groups/boot-$$/cgroup.procs"
    status=0
    INSIDE=1 unshare --mount --pid --fork --kill-child --uts --ipc --cgroup sh "$0" "$1" || status=$?
    echo $$ >"$groups/cgroup.procs"
    find "$groups/boot-$$" -depth -type d -exec rmdir {} +
    umount "$groups" && rmdir "$groups"
    exit "$status"
fi
cd "$1"
mount --bind . .
cd "$1"
mkdir -p before
mount -t proc proc proc
mount -t sysfs -o ro sysfs sys
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs dev
for name in null zero full random urandom tty; do
    : >"dev/$name"
    mount --bind "/dev/$name" "dev/$name"
done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620 devpts dev/pts
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
for name in dev/shm run tmp; do mount -t tmpfs -o mode=755 tmpfs "$name"; done
chmod 1777 tmp dev/shm
pivot_root . before
umount -l /before
# What a manager of containers sees to: credentials and private directories are mounted aside and moved into place.
mount --make-rshared /
exec env -i container=other PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --unit=multi-user.target
