#!/bin/sh
# Puts Orchestrator Agent onto a machine, or takes it off again. Safe to run twice.
#
#   curl -fsSL <where this file is>/install.sh | sh -s -- --token edge1_...
#   ./install.sh --from ./orchestrator-agent-0.1.0-linux-x64.tar.gz --token edge1_...     (offline)
#   orchestrator-uninstall                                                                (or: install.sh --uninstall)
#
# What it does, in this order: looks at the machine, unpacks the programs, makes sure that there is a container engine,
# enrols, and only then starts anything. Run with --help for the options.
set -eu

releases=${ORCHESTRATOR_RELEASES:-https://github.com/orchestrator-agent/orchestrator-agent/releases/latest/download}
prefix=/opt/orchestrator
data=/var/lib/orchestrator
settings=/etc/orchestrator
commands=/usr/local/bin
units=/etc/systemd/system
from='' token='' token_file='' mode='' action=install start=yes keep=no assume_yes=no
image=orchestrator-agent
programs="daemon netmon"

usage() {
  cat <<'END'
Usage: install.sh [--token TOKEN | --token-file FILE] [options]

  --token TOKEN       enrolment token of the hub (orchestrator hub token create)
  --token-file FILE   the same, from a file, so that it is not in the shell's history; - reads standard input
  --from PATH         a bundle (.tar.gz) or an unpacked one, instead of downloading the latest
  --mode MODE         systemd or container; without it, systemd where systemd runs, else container
  --no-start          install and enrol, start nothing
  --prefix DIR        programs (default /opt/orchestrator)
  --data DIR          state and identity (default /var/lib/orchestrator)
  --settings DIR      settings (default /etc/orchestrator)
  --commands DIR      where the command `orchestrator` goes (default /usr/local/bin)
  --uninstall         remove everything: programs, runtimes that this node made, state, identity
  --keep-data         with --uninstall: leave runtimes, state and identity
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
  --mode) value_of "$@"; mode=$2; shift ;;
  --prefix) value_of "$@"; prefix=$2; shift ;;
  --data) value_of "$@"; data=$2; shift ;;
  --settings) value_of "$@"; settings=$2; shift ;;
  --commands) value_of "$@"; commands=$2; shift ;;
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
  if [ -z "$mode" ]; then if has_systemd; then mode=systemd; else mode=container; fi; fi
  case $mode in
  systemd) has_systemd || refuse "--mode systemd, but systemd does not run here: use --mode container" ;;
  container) ;;
  *) refuse "--mode is '$mode'; systemd or container is allowed" ;;
  esac
}

# Sets $bundle to a folder that holds an unpacked bundle.
get_bundle() {
  scratch=$(mktemp -d)
  trap 'rm -rf "$scratch"' EXIT
  if [ -n "$from" ] && [ -d "$from" ]; then
    bundle=$from
  else
    archive=$from
    if [ -z "$archive" ]; then
      archive=$scratch/bundle.tar.gz
      url=$releases/orchestrator-agent-linux-$arch.tar.gz
      command -v curl >/dev/null || refuse "curl is missing: install it, or fetch $url elsewhere and pass it with --from"
      say "downloading $url"
      curl -fSL --retry 3 --proto '=https' -o "$archive" "$url" ||
        refuse "the download failed. Check the network and https_proxy, or fetch the file elsewhere and pass it with --from"
    fi
    [ -f "$archive" ] || refuse "there is no bundle at $archive"
    mkdir "$scratch/bundle"
    tar -xzf "$archive" -C "$scratch/bundle" --strip-components=1 || refuse "$archive is not a bundle (.tar.gz made by npm run bundle)"
    bundle=$scratch/bundle
  fi
  if [ ! -x "$bundle/rootfs/usr/bin/node" ] || [ ! -f "$bundle/VERSION" ]; then
    refuse "${from:-the download} is not a bundle of Orchestrator Agent"
  fi
  made_for=$(cat "$bundle/ARCH")
  [ "$made_for" = "$arch" ] || refuse "the bundle is for $made_for and this machine is $arch: get the other one"
  version=$(cat "$bundle/VERSION")
}

unpack_programs() {
  say "unpacking version $version to $prefix"
  mkdir -p "$prefix" "$settings" "$commands"
  mkdir -p "$data"
  chmod 0700 "$data"
  # Beside the old one and then swapped, so that a machine that loses power here has the old programs or the new.
  rm -rf "$prefix/next"
  mkdir "$prefix/next"
  cp -a "$bundle/." "$prefix/next/"
  rm -rf "$prefix/previous"
  [ ! -d "$prefix/current" ] || mv "$prefix/current" "$prefix/previous"
  mv "$prefix/next" "$prefix/current"
  cat >"$commands/orchestrator" <<END
#!/bin/sh
# Made by install.sh of Orchestrator Agent.
set -a
. "$settings/daemon.env"
set +a
exec "$prefix/current/rootfs/usr/bin/node" "$prefix/current/rootfs/opt/orchestrator/bin/orchestrator.js" "\$@"
END
  cat >"$commands/orchestrator-uninstall" <<END
#!/bin/sh
# Made by install.sh of Orchestrator Agent.
exec "$prefix/current/install.sh" --uninstall --mode "$mode" --prefix "$prefix" --data "$data" --settings "$settings" --commands "$commands" "\$@"
END
  chmod 0755 "$commands/orchestrator" "$commands/orchestrator-uninstall"
  write_settings
}

write_settings() {
  [ ! -f "$settings/daemon.env" ] || { say "keeping $settings/daemon.env"; return 0; }
  umask 077
  {
    echo "# Settings of the daemon and netmon; docs/configuration.md lists them all."
    echo "ORCHESTRATOR_DAEMON_DATA_DIR=$data/daemon"
    echo "ORCHESTRATOR_NETMON_SOCKET=$data/netmon/netmon.sock"
    echo "ORCHESTRATOR_DOCKER_HOST=${DOCKER_HOST:-unix:///var/run/docker.sock}"
    for name in https_proxy no_proxy; do
      eval "found=\${$name:-}"
      [ -z "$found" ] || echo "$name=$found"
    done
  } >"$settings/daemon.env"
  umask 022
}

engine_answers() { docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

ensure_engine() {
  if command -v docker >/dev/null && engine_answers; then
    say "the container engine answers (version $(docker version --format '{{.Server.Version}}'))"
    return
  fi
  if ! command -v docker >/dev/null; then
    if command -v apt-get >/dev/null; then
      say "installing docker.io from the distribution"
      DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io iptables ||
        { apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends docker.io iptables; } ||
        refuse "docker.io could not be installed: install a container engine by hand, then run this again"
    elif command -v dnf >/dev/null; then
      say "installing moby-engine from the distribution"
      dnf install -y moby-engine || refuse "no container engine could be installed: install Docker by hand, then run this again"
    else
      refuse "there is no container engine and neither apt-get nor dnf: install Docker by hand, then run this again"
    fi
  fi
  if has_systemd; then systemctl enable --now docker; fi
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    engine_answers && return
    sleep 1
  done
  refuse "the container engine does not answer at ${DOCKER_HOST:-/var/run/docker.sock}: start it, then run this again"
}

enrol() {
  if [ -f "$data/daemon/identity.json" ] && [ -z "$token$token_file" ]; then
    say "this node is enrolled already"
    return
  fi
  if [ -n "$token_file" ]; then
    if [ "$token_file" = - ]; then token=$(cat); else token=$(cat "$token_file"); fi
  fi
  [ -n "$token" ] || refuse "a token is needed: make one with 'orchestrator hub token create' and pass it with --token"
  say "enrolling"
  # By standard input: an argument would be seen in the list of processes.
  printf '%s\n' "$token" | "$commands/orchestrator" daemon enroll --token - ||
    refuse "enrolment failed; the reason is above. Nothing was started. Run this again with a good token"
}

start_with_systemd() {
  for one in $programs; do
    sed -e "s|@PREFIX@|$prefix/current|g" -e "s|@SETTINGS@|$settings|g" -e "s|@DATA@|$data|g" \
      "$prefix/current/systemd/orchestrator-$one.service" >"$units/orchestrator-$one.service"
  done
  systemctl daemon-reload
  for one in $programs; do
    systemctl enable "orchestrator-$one"
    systemctl restart "orchestrator-$one"
  done
}

start_containers() {
  if ! docker image inspect "$image:$version" >/dev/null 2>&1; then
    say "making the image $image:$version"
    tar -C "$prefix/current/rootfs" -c . | docker import \
      --change 'ENV PATH=/usr/bin:/bin:/usr/sbin:/sbin' --change 'WORKDIR /opt/orchestrator' \
      --change "LABEL orchestrator.program=$version" - "$image:$version" >/dev/null
  fi
  run="node /opt/orchestrator/bin/orchestrator.js"
  socket=${DOCKER_HOST:-unix:///var/run/docker.sock}
  socket=${socket#unix://}
  for one in $programs; do docker rm -f "orchestrator-$one" >/dev/null 2>&1 || true; done
  mkdir -p "$data/netmon"
  # shellcheck disable=SC2086 # $run is two words
  docker run -d --name orchestrator-netmon --restart unless-stopped --network host --read-only --cap-drop ALL \
    --security-opt no-new-privileges --log-opt max-size=10m --log-opt max-file=3 \
    --env-file "$settings/daemon.env" -v "$data/netmon:$data/netmon" "$image:$version" $run netmon start >/dev/null
  # shellcheck disable=SC2086
  docker run -d --name orchestrator-daemon --restart unless-stopped --network host --read-only --cap-drop ALL \
    --security-opt no-new-privileges --log-opt max-size=10m --log-opt max-file=3 \
    --env-file "$settings/daemon.env" -v "$data:$data" -v "$socket:$socket" -v /dev:/dev:ro -v /etc/os-release:/etc/os-release:ro \
    --health-cmd "$run daemon status --json" --health-interval 30s --health-timeout 10s --health-start-period 15s \
    "$image:$version" $run daemon start >/dev/null
}

install() {
  look_at_machine
  get_bundle
  ensure_engine
  unpack_programs
  enrol
  if [ "$start" = no ]; then
    say "done; nothing was started (--no-start)"
    return
  fi
  say "starting daemon and netmon ($mode)"
  if [ "$mode" = systemd ]; then start_with_systemd; else start_containers; fi
  say "done. Look with: orchestrator daemon status"
}

confirm() {
  [ "$assume_yes" = yes ] && return
  [ -t 0 ] || refuse "this removes $1. Run it again with --yes if that is meant"
  printf 'install: this removes %s. Go on? [y/N] ' "$1"
  read -r answer
  case $answer in y | Y | yes) ;; *) refuse "nothing was removed" ;; esac
}

delete_runtimes() {
  names=$("$commands/orchestrator" runtime list --local --quiet 2>/dev/null) || {
    say "the daemon does not answer, so its runtimes stay: docker ps -a --filter label=edge.runtime"
    return 0
  }
  for name in $names; do
    say "deleting runtime $name"
    "$commands/orchestrator" runtime delete "$name" --local --yes >/dev/null
  done
}

uninstall() {
  look_at_machine
  if [ "$keep" = yes ]; then confirm "the programs and leaves runtimes, state and identity"
  else confirm "the programs, every runtime that this node made with its data, its state and its identity"; fi
  [ "$keep" = yes ] || [ ! -x "$commands/orchestrator" ] || delete_runtimes
  if has_systemd; then
    for one in $programs; do
      if [ -f "$units/orchestrator-$one.service" ]; then
        systemctl disable --now "orchestrator-$one"
        rm "$units/orchestrator-$one.service"
      fi
    done
    systemctl daemon-reload
  fi
  if command -v docker >/dev/null && engine_answers; then
    for one in $programs; do docker rm -f "orchestrator-$one" >/dev/null 2>&1 || true; done
    docker image ls -q --filter "label=orchestrator.program" | while read -r id; do docker rmi -f "$id" >/dev/null; done
  fi
  rm -f "$commands/orchestrator" "$commands/orchestrator-uninstall"
  rm -rf "$prefix"
  if [ "$keep" = no ]; then rm -rf "$data" "$settings"; fi
  say "done"
}

"$action"
