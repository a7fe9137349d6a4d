#!/bin/sh
# A machine that a real systemd runs, beside the one that runs the tests: its own processes, mounts, host name and control
# groups, in the network of a test engine. What is written below /etc, /opt, /usr/local/bin and /var/lib goes to a layer
# that is gone with it.
#
#   systemd.sh boot NETNS SOCKET   becomes that machine; prints "init PID", its process 1 as seen from outside
set -eu

# Below a group with the engine's name, so that the engine's ground takes it down in any case (test/fixtures/engine.sh).
join_groups() {
  for tree in /sys/fs/cgroup /sys/fs/cgroup/systemd /sys/fs/cgroup/memory; do
    [ -f "$tree/cgroup.procs" ] || continue
    mkdir -p "$tree/$1-systemd"
    echo $$ >"$tree/$1-systemd/cgroup.procs"
  done
}

own_groups() {
  if [ -f /sys/fs/cgroup/cgroup.procs ]; then
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    return
  fi
  mount -t tmpfs tmpfs /sys/fs/cgroup
  mkdir /sys/fs/cgroup/systemd /sys/fs/cgroup/memory
  mount -t cgroup -o none,name=systemd cgroup /sys/fs/cgroup/systemd
  mount -t cgroup -o memory cgroup /sys/fs/cgroup/memory
}

own_folders() {
  mount -t tmpfs tmpfs /mnt
  for folder in etc opt usr/local/bin var/lib; do
    mkdir -p "/mnt/over/$folder" "/mnt/work/$folder"
    mount -t overlay overlay -o "lowerdir=/$folder,upperdir=/mnt/over/$folder,workdir=/mnt/work/$folder" "/$folder"
  done
  mount -t tmpfs -o mode=755 tmpfs /run
  mkdir /run/lock
  touch /run/docker.sock
  mount --bind "$1" /run/docker.sock
}

# None of the machine's own units: only the milestones that every unit names.
own_units() {
  for folder in /usr/lib/systemd/system-generators /usr/lib/systemd/system /etc/systemd/system; do
    mount -t tmpfs tmpfs "$folder"
  done
  for target in sysinit basic multi-user network shutdown; do
    printf '[Unit]\nDescription=%s\n' "$target" >"/usr/lib/systemd/system/$target.target"
  done
}

command=$1
shift
case $command in
boot)
  join_groups "$1"
  exec ip netns exec "$1" unshare --mount --propagation private --pid --uts --ipc --cgroup --fork --kill-child \
    sh "$0" init "$2"
  ;;
init)
  read -r outside _ </proc/self/stat
  own_folders "$1"
  own_units
  own_groups
  mount -t proc proc /proc
  echo "init $outside"
  # "container" keeps its hands off the kernel's settings and devices.
  exec env -i container=test PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin \
    /usr/lib/systemd/systemd --unit=multi-user.target --show-status=false --log-target=null </dev/null >/dev/null 2>&1
  ;;
esac
