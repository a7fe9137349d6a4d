#!/bin/sh
# Puts Orchestrator Agent onto a machine, or takes it off again. Safe to run twice.
#
#   curl -fsSL <where this file is>/install.sh | sh -s -- --token edge1_...
#   ./install.sh --from ./orchestrator-agent-linux-x64.tar.gz --token edge1_...     (offline)
#   orchestrator-uninstall                                                          (or: install.sh --uninstall)
#
# What it does, in this order: looks at the machine, unpacks the programs, enrols, makes sure that there is a container
# engine, and only then starts anything. Run with --help for the options.
set -eu
PATH="$PATH:/usr/sbin:/sbin"

releases=https://github.com/orchestrator-agent/orchestrator-agent/releases/latest/download
prefix=/opt/orchestrator
data=/var/lib/orchestrator
settings=/etc/orchestrator
commands=/usr/local/bin
units=/etc/systemd/system
from='' token='' token_file='' mode='' action=install start=yes keep=no assume_yes=no
image=orchestrator-agent
image_label=orchestrator.program
programs="netmon daemon"

usage() {
  cat <<'END'
Usage: install.sh [--token TOKEN | --token-file FILE] [options]

  --token TOKEN       enrolment token of the hub (orchestrator hub token create)
  --token-file FILE   the same, from a file, so that it is not in the shell's history; - reads standard input
  --from PATH         a bundle (.tar.gz) or an unpacked one, instead of downloading the latest
  --releases URL      where to download from, as from a mirror of your own (https)
  --mode MODE         systemd or container; without it, systemd where systemd runs, else container
  --no-start          install and enrol, start nothing
  --prefix DIR        programs (default /opt/orchestrator)
  --data DIR          state and identity (default /var/lib/orchestrator)
  --settings DIR      settings (default /etc/orchestrator)
  --commands DIR      where the command `orchestrator` goes (default /usr/local/bin)
  --units DIR         where systemd's units go (default /etc/systemd/system)
  --uninstall         remove everything: programs, runtimes that this node made, state, identity
  --keep-data         with --uninstall: leave runtimes, settings, state and identity
  --yes               do not ask
  --help              this text

Behind a proxy, set https_proxy (and no_proxy); the daemon gets the same. DOCKER_HOST names an engine that is elsewhere.
END
}

say() { echo "install: $*"; }
refuse() {
  echo "install: $*" >&2
  exit 1
}
value_of() { if [ $# -lt 2 ] || [ -z "$2" ]; then refuse "$1 needs a value"; fi; }

while [ $# -gt 0 ]; do
  case $1 in
  --token) value_of "$@"; token=$2; shift ;;
  --token-file) value_of "$@"; token_file=$2; shift ;;
  --from) value_of "$@"; from=$2; shift ;;
  --releases) value_of "$@"; releases=$2; shift ;;
  --mode) value_of "$@"; mode=$2; shift ;;
  --prefix) value_of "$@"; prefix=$2; shift ;;
  --data) value_of "$@"; data=$2; shift ;;
  --settings) value_of "$@"; settings=$2; shift ;;
  --commands) value_of "$@"; commands=$2; shift ;;
  --units) value_of "$@"; units=$2; shift ;;
  --no-start) start=no ;;
  --uninstall) action=uninstall ;;
  --keep-data) keep=yes ;;
  --yes) assume_yes=yes ;;
  --help) usage; exit 0 ;;
  *) usage >&2; refuse "unknown option $1" ;;
  esac
  shift
done

has_systemd() { [ -d /run/systemd/system ] && command -v systemctl >/dev/null; }

look_at_machine() {
  [ "$(uname -s)" = Linux ] || refuse "this is $(uname -s); Linux is needed"
  case $(uname -m) in
  x86_64) arch=x64 ;;
  aarch64) arch=arm64 ;;
  *) refuse "this machine is $(uname -m); x86_64 and aarch64 are supported" ;;
  esac
  [ "$(id -u)" = 0 ] || refuse "run it as root, for instance with sudo"
  for folder in "$prefix" "$data" "$settings" "$commands" "$units"; do
    # They go into units, scripts and arguments of the engine, each with its own idea of quoting.
    case $folder in
    *[!A-Za-z0-9._/-]*) refuse "the folder '$folder' must have only letters, digits and . _ - / in its path" ;;
    /?*) ;;
    *) refuse "the folder '$folder' must be a whole path that begins with /" ;;
    esac
  done
  if [ -z "$mode" ]; then if has_systemd; then mode=systemd; else mode=container; fi; fi
  case $mode in
  systemd) has_systemd || refuse "--mode systemd, but systemd does not run here: use --mode container" ;;
  container) ;;
  *) refuse "--mode is '$mode'; systemd or container is allowed" ;;
  esac
  # Some tools read the proxy from capitals; ours and curl from small letters.
  export https_proxy="${https_proxy:-${HTTPS_PROXY:-}}" http_proxy="${http_proxy:-${HTTP_PROXY:-}}" no_proxy="${no_proxy:-${NO_PROXY:-}}"
  # The engine that was named at the first time, unless another one is named now.
  kept=$(sed -n 's/^ORCHESTRATOR_DOCKER_HOST=//p' "$settings/daemon.env" 2>/dev/null) || true
  export DOCKER_HOST="${DOCKER_HOST:-${kept:-unix:///var/run/docker.sock}}"
}

# --- the token and the programs: nothing on the machine is changed but below $prefix and $data

find_token() {
  if [ -n "$token_file" ]; then
    if [ "$token_file" = - ]; then token=$(cat); else token=$(cat "$token_file") || refuse "the token file cannot be read"; fi
  fi
  [ -n "$token" ] || [ -f "$data/daemon/identity.json" ] ||
    refuse "a token is needed: make one with 'orchestrator hub token create' and pass it with --token. Nothing was done"
}

# Sets $archive to the bundle's file.
fetch_bundle() {
  archive=$scratch/bundle.tar.gz
  url=$releases/orchestrator-agent-linux-$arch.tar.gz
  command -v curl >/dev/null || refuse "curl is missing: install it, or fetch $url elsewhere and pass it with --from"
  say "downloading $url"
  curl -fL --progress-bar --retry 3 --proto '=https' -o "$archive" "$url" ||
    refuse "the download failed. Check the network and https_proxy, or fetch the file elsewhere and pass it with --from"
}

# Sets $unpacked to a new folder of programs, which is gone again when this script ends before it is used.
unpack_programs() {
  scratch=$(mktemp -d)
  unpacked=$prefix/versions/$$-$(date +%s)
  trap 'rm -rf "$scratch"; [ "$(readlink "$prefix/current")" = "$unpacked" ] || drop_unpacked' EXIT
  trap 'exit 130' INT TERM HUP
  archive=$from
  [ -n "$archive" ] || fetch_bundle
  [ -e "$archive" ] || refuse "there is no bundle at $archive"
  mkdir -p "$unpacked"
  if [ -d "$archive" ]; then
    cp -a "$archive/." "$unpacked/"
  else
    tar -xzf "$archive" -C "$unpacked" --strip-components=1 --no-same-owner ||
      refuse "$archive cannot be unpacked: is it a bundle (.tar.gz made by npm run bundle), and is there room in $prefix?"
  fi
  if [ ! -x "$unpacked/rootfs/usr/bin/node" ] || [ ! -f "$unpacked/VERSION" ] || [ ! -f "$unpacked/ARCH" ]; then
    refuse "${from:-the download} is not a bundle of Orchestrator Agent"
  fi
  made_for=$(cat "$unpacked/ARCH")
  [ "$made_for" = "$arch" ] || refuse "the bundle is for $made_for and this machine is $arch: get the other one"
  "$unpacked/rootfs/usr/bin/node" --version >/dev/null ||
    refuse "the programs do not run on this machine; the reason is above. glibc 2.28 or later is needed, and no 'noexec' on $prefix"
  version=$(cat "$unpacked/VERSION")
  say "version $version is unpacked"
}

drop_unpacked() {
  rm -rf "$unpacked"
  remove_if_empty "$prefix/versions" "$prefix"
}

remove_if_empty() { rmdir "$@" 2>/dev/null || true; }

# Before an engine is installed or anything is started: a machine that may not join is left as it was.
enrol() {
  if [ -z "$token" ]; then
    say "this node is enrolled already"
    return
  fi
  say "enrolling"
  # By standard input: an argument would be seen in the list of processes.
  printf '%s\n' "$token" | ORCHESTRATOR_DAEMON_DATA_DIR="$data/daemon" \
    "$unpacked/rootfs/usr/bin/node" "$unpacked/rootfs/opt/orchestrator/bin/orchestrator.js" daemon enroll --token - ||
    refuse "enrolment failed; the reason is above. Nothing was started. Run this again with a good token"
}

# --- the engine

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

install_package() {
  if command -v apt-get >/dev/null; then
    say "installing $1 from the distribution"
    export DEBIAN_FRONTEND=noninteractive
    apt-get install -y --no-install-recommends "$1" || { apt-get update && apt-get install -y --no-install-recommends "$1"; }
  elif command -v dnf >/dev/null; then
    say "installing $2 from the distribution"
    dnf install -y "$2"
  else
    return 1
  fi
}

ensure_engine() {
  if ! command -v docker >/dev/null; then
    install_package docker.io moby-engine || refuse "there is no container engine and none could be installed: install Docker by hand, then run this again"
    # From Debian 13 on the command is a package of its own.
    command -v docker >/dev/null || install_package docker-cli docker-cli || refuse "the command docker could not be installed"
    : >"$prefix/engine-installed"
  fi
  if ! engine_answers; then
    if has_systemd; then systemctl enable --now docker || true
    elif [ -x /etc/init.d/docker ]; then /etc/init.d/docker start || true; fi
  fi
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    if engine_answers; then
      say "the container engine answers (version $(docker version --format '{{.Server.Version}}'))"
      return
    fi
    sleep 1
  done
  refuse "the container engine does not answer at $DOCKER_HOST: start it, then run this again"
}

# --- programs and settings

use_programs() {
  # One rename, so that a machine that loses power here has the old programs or the new.
  ln -sfn "$unpacked" "$prefix/next"
  mv -T "$prefix/next" "$prefix/current"
  mkdir -p "$settings" "$commands" "$data/netmon"
  write_settings
  cat >"$commands/orchestrator" <<END
#!/bin/sh
# Made by install.sh of Orchestrator Agent.
while IFS= read -r line; do
  case \$line in [A-Za-z]*=*) export "\$line" ;; esac
done <"$settings/daemon.env"
PATH="\$PATH:$prefix/current/rootfs/bin" exec "$prefix/current/rootfs/usr/bin/node" "$prefix/current/rootfs/opt/orchestrator/bin/orchestrator.js" "\$@"
END
  cat >"$commands/orchestrator-uninstall" <<END
#!/bin/sh
# Made by install.sh of Orchestrator Agent.
exec "$prefix/current/install.sh" --uninstall --prefix "$prefix" --data "$data" --settings "$settings" --commands "$commands" --units "$units" "\$@"
END
  chmod 0755 "$commands/orchestrator" "$commands/orchestrator-uninstall"
}

# What is known now replaces what was; every other line is the operator's and stays.
write_settings() {
  [ -f "$settings/daemon.env" ] ||
    (umask 077 && echo "# Settings of the daemon and netmon; docs/configuration.md lists them all." >"$settings/daemon.env")
  put_setting ORCHESTRATOR_DAEMON_DATA_DIR "$data/daemon"
  put_setting ORCHESTRATOR_NETMON_SOCKET "$data/netmon/netmon.sock"
  put_setting ORCHESTRATOR_DOCKER_HOST "$DOCKER_HOST"
  for name in https_proxy http_proxy no_proxy; do
    eval "found=\${$name:-}"
    [ -z "$found" ] || put_setting "$name" "$found"
  done
}

put_setting() {
  (
    umask 077
    grep -v "^$1=" "$settings/daemon.env" >"$settings/daemon.env.next" || true
    printf '%s=%s\n' "$1" "$2" >>"$settings/daemon.env.next"
  )
  mv "$settings/daemon.env.next" "$settings/daemon.env"
}

# --- running them

stop_programs() {
  for one in $programs; do
    if [ -f "$units/orchestrator-$one.service" ] && has_systemd; then systemctl disable --now "orchestrator-$one"; fi
    if docker container inspect "orchestrator-$one" >/dev/null 2>&1; then
      docker stop "orchestrator-$one" >/dev/null
      docker rm "orchestrator-$one" >/dev/null
    fi
  done
}

start_with_systemd() {
  command -v ip >/dev/null || install_package iproute2 iproute || refuse "netmon needs the program ip: install iproute2"
  for one in nsenter unshare setpriv; do
    command -v "$one" >/dev/null || refuse "netmon needs the program $one: install util-linux"
  done
  command -v nft >/dev/null || install_package nftables nftables ||
    say "agents that may connect somewhere need the program nft: install nftables"
  for one in $programs; do
    sed -e "s|@PREFIX@|$prefix/current|g" -e "s|@SETTINGS@|$settings|g" -e "s|@DATA@|$data|g" \
      "$prefix/current/systemd/orchestrator-$one.service" >"$units/orchestrator-$one.service"
  done
  systemctl daemon-reload
  for one in $programs; do systemctl enable --now "orchestrator-$one"; done
}

start_containers() {
  say "making the image $image:$version"
  tar -C "$prefix/current/rootfs" -c . | docker import \
    --change 'ENV PATH=/usr/bin:/bin:/usr/sbin:/sbin' --change 'WORKDIR /opt/orchestrator' \
    --change "LABEL $image_label=$version" - "$image:$version" >/dev/null
  # Into the network namespaces of containers, which it finds by their processes; into /proc/sys of each, which engines,
  # AppArmor and SELinux keep from others; and into their /dev and device control groups.
  run_container netmon 64 -v "$data/netmon:$data/netmon" --pid host --tmpfs /run --tmpfs /tmp \
    -v /dev:/node/dev:ro --cgroupns host -v /sys/fs/cgroup:/sys/fs/cgroup -e ORCHESTRATOR_NETMON_DEV_DIR=/node/dev \
    --cap-add NET_ADMIN --cap-add NET_RAW --cap-add SYS_ADMIN --cap-add SYS_PTRACE --cap-add MKNOD \
    --security-opt systempaths=unconfined --security-opt apparmor=unconfined --security-opt label=disable
  # Agents are lent secrets from a folder in memory, which the engine sees by the same path.
  set -- -v "$data:$data" -v /run/orchestrator-secrets:/run/orchestrator-secrets -v /dev:/dev:ro -v /etc/os-release:/etc/os-release:ro
  case $DOCKER_HOST in
  unix://*)
    # The folder, not the socket: an engine that restarts makes a new one.
    socket=${DOCKER_HOST#unix://}
    set -- "$@" -v "$(dirname "$socket"):/run/engine:ro" -e "ORCHESTRATOR_DOCKER_HOST=unix:///run/engine/$(basename "$socket")"
    ;;
  esac
  # Alive means that the local socket answers, with or without a hub.
  run_container daemon 96 "$@" --health-interval 30s --health-timeout 10s --health-start-period 15s \
    --health-cmd 'node /opt/orchestrator/bin/orchestrator.js daemon status --json'
}

# Runs one of the programs with so many MB of heap and these options of `docker run`.
run_container() {
  one=$1 heap=$2
  shift 2
  docker run -d --name "orchestrator-$one" --restart unless-stopped --network host --read-only --cap-drop ALL \
    --security-opt no-new-privileges --memory 256m --log-opt max-size=10m --log-opt max-file=3 \
    --env-file "$settings/daemon.env" "$@" "$image:$version" \
    node --max-semi-space-size=1 --optimize-for-size --max-old-space-size="$heap" \
    /opt/orchestrator/bin/orchestrator.js "$one" start >/dev/null
}

until_running() {
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    if told=$("$commands/orchestrator" daemon status 2>&1); then
      echo "$told"
      return
    fi
    sleep 1
  done
  echo "$told" >&2
  if [ "$mode" = systemd ]; then log="journalctl -u orchestrator-daemon"; else log="docker logs orchestrator-daemon"; fi
  refuse "the daemon was started and does not answer. Its log: $log"
}

remove_older() {
  for one in "$prefix"/versions/*; do [ "$one" = "$unpacked" ] || rm -rf "$one"; done
  remove_images "$image:$version"
}

# Removes the images that this script made, but for one.
remove_images() {
  stays=$(docker image ls -q --no-trunc "$1")
  for id in $(docker image ls -q --no-trunc --filter "label=$image_label" | sort -u); do
    [ "$id" = "$stays" ] || docker rmi -f "$id" >/dev/null
  done
}

install() {
  look_at_machine
  find_token
  unpack_programs
  enrol
  ensure_engine
  stop_programs
  use_programs
  if [ "$start" = no ]; then
    remove_older
    say "done; nothing was started (--no-start)"
    return
  fi
  say "starting netmon and the daemon ($mode)"
  if [ "$mode" = systemd ]; then start_with_systemd; else start_containers; fi
  remove_older
  until_running
  say "done. Look again with: orchestrator daemon status"
}

# --- off again

confirm() {
  [ "$assume_yes" = yes ] && return
  [ -t 0 ] || refuse "this removes $1. Run it again with --yes if that is meant"
  printf 'install: this removes %s. Go on? [y/N] ' "$1"
  read -r answer
  case $answer in y | Y | yes) ;; *) refuse "nothing was removed" ;; esac
}

# What the daemon made in the engine carries its instance in a label; the state file says which that is. The daemon is not
# asked: it may be the reason for which somebody uninstalls.
instance_of_daemon() {
  "$prefix/current/rootfs/usr/bin/node" -e '
    const { DatabaseSync } = require("node:sqlite");
    const row = new DatabaseSync(process.argv[1]).prepare("SELECT instance_id FROM runtimes_node").get();
    process.stdout.write(row.instance_id);' "$data/daemon/daemon.db"
}

# By daemon and netmon, as long as they can be asked: so leases are given back, and what was made at parents goes.
delete_runtimes() {
  names=$("$commands/orchestrator" runtime list --local --quiet 2>/dev/null) || return 0
  for name in $names; do say "removing runtime $name"; done
  "$commands/orchestrator" node decommission --local --purge --yes >/dev/null 2>&1 || true
}

# Links of netmon's own make, which carry our name, when it was not there to take them away.
remove_links() {
  command -v ip >/dev/null || return 0
  for link in $(ip -o link show | sed -n 's/^[0-9]*: \([^:@]*\).* alias orchestrator *$/\1/p'); do ip link delete dev "$link" || true; done
}

# What the daemon could not remove by itself.
remove_runtimes() {
  [ -f "$data/daemon/daemon.db" ] || return 0
  instance=$(instance_of_daemon) ||
    refuse "the daemon's state cannot be read, so nobody knows which runtimes are its own. Look with: docker ps -a --filter label=edge.runtime. Remove them by hand, then $data/daemon/daemon.db, then run this again"
  owner="label=edge.instance=$instance"
  for id in $(docker ps -aq --filter "$owner"); do
    say "removing runtime $(docker inspect --format '{{index .Config.Labels "edge.runtime"}}' "$id")"
    docker stop "$id" >/dev/null # with the grace that the runtime asked for
    docker rm -f "$id" >/dev/null
  done
  for id in $(docker network ls -q --filter "$owner"); do docker network rm "$id" >/dev/null; done
  for name in $(docker volume ls -q --filter "$owner"); do docker volume rm "$name" >/dev/null; done
}

uninstall() {
  look_at_machine
  if [ "$keep" = yes ]; then confirm "the programs and leaves runtimes, settings, state and identity"
  else confirm "the programs, every runtime that this node made with its data, its state and its identity"; fi
  has_engine=no
  if command -v docker >/dev/null; then has_engine=yes; fi
  if [ "$has_engine" = yes ] && ! engine_answers; then
    refuse "the container engine does not answer at $DOCKER_HOST, and what was made in it has to go first: start it, then run this again. Nothing was removed"
  fi
  node_id=$(sed -n 's/.*"nodeId": *"\([^"]*\)".*/\1/p' "$data/daemon/identity.json" 2>/dev/null) || true
  [ "$keep" = yes ] || delete_runtimes
  stop_programs
  if [ "$has_engine" = yes ]; then
    [ "$keep" = yes ] || remove_runtimes
    remove_images none
  fi
  [ "$keep" = yes ] || remove_links
  for one in $programs; do rm -f "$units/orchestrator-$one.service"; done
  if has_systemd; then systemctl daemon-reload; fi
  if [ -f "$prefix/engine-installed" ]; then say "Docker was installed with it and stays, for others may use it by now"; fi
  rmdir /run/orchestrator-secrets/* /run/orchestrator-secrets 2>/dev/null || true
  rm -f "$commands/orchestrator" "$commands/orchestrator-uninstall"
  rm -rf "$prefix/versions" "$prefix/current" "$prefix/engine-installed"
  remove_if_empty "$prefix"
  if [ "$keep" = no ]; then
    # Not $data itself: a hub on the same machine keeps its state beside.
    rm -rf "$data/daemon" "$data/netmon" "$settings/daemon.env"
    remove_if_empty "$data" "$settings"
    if [ -n "$node_id" ]; then say "the hub still lists the node; there: orchestrator node remove $node_id --only-here"; fi
  fi
  say "done"
}

"$action"
