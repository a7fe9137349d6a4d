#!/bin/sh
# Makes this checkout runnable: the Node packages always, and the Debian packages that tests (--tests), checks (--check) or a
# container engine of one's own (--engine) need. Every npm script calls it first, so it says nothing and takes a moment when all is there.
#
# It installs programs and starts none: an engine that package scripts would start is kept from starting.
set -eu
cd "$(dirname "$0")/.."
PATH="$PATH:/usr/sbin:/sbin"

say() { echo "setup: $*" >&2; }
refuse() {
  say "$*"
  exit 1
}

# The machine's Node only has to install packages; the programs run on the Node 24 that comes with those packages.
require_node() {
  command -v node >/dev/null || refuse "Node is missing. Install Node 20 or later (https://nodejs.org), then run this again."
  command -v npm >/dev/null || refuse "npm is missing. Install npm, which comes with Node 20 or later, then run this again."
  version=$(node --version)
  major=${version#v}
  major=${major%%.*}
  [ "$major" -ge 20 ] || refuse "Node 20 or later is needed, and this is Node $version. Install a newer Node, then run this again."
}

# Install scripts of packages are not run, whatever npm's version thinks of them: only the package `node` needs its own,
# which fetches the binary for this machine. So no compiler is needed, and npm 10, 11 and 12 do the same.
install_node_packages() {
  want=$(sha256sum package-lock.json)
  [ "$(cat node_modules/.installed-lock 2>/dev/null)" = "$want" ] && return
  if [ -d node_modules ]; then why="they are not those of package-lock.json"; else why="this is the first run"; fi
  say "installing Node packages ($why)"
  npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >&2 || refuse "npm ci failed; the reason is above."
  npm rebuild node --loglevel=error >&2 || refuse "npm could not install Node 24; the reason is above."
  node_modules/.bin/node --version >/dev/null || refuse "the Node 24 from the package 'node' does not run on this machine."
  echo "$want" >node_modules/.installed-lock
}

# Prints the Debian packages whose programs are missing. Programs are asked for, not packages: an engine from elsewhere
# is as good, and installing a second one would remove it.
missing_packages() {
  while read -r package program; do
    case $package in
    busybox-static) busybox_is_static || echo "$package" ;;
    python3-grpcio) python_has grpc || echo "$package" ;;
    python3-protobuf) python_has google.protobuf || echo "$package" ;;
    postgresql) postgres_is_there || echo "$package" ;;
    *) command -v "$program" >/dev/null || echo "$package" ;;
    esac
  done
}
busybox_is_static() { command -v busybox >/dev/null && ! ldd "$(command -v busybox)" >/dev/null 2>&1; }
# Its server is no command of a user, so Debian keeps it off the path.
postgres_is_there() { command -v initdb >/dev/null || ls /usr/lib/postgresql/*/bin/initdb >/dev/null 2>&1; }
python_has() { command -v python3 >/dev/null && python3 -S -c "
import sys; sys.path.append('/usr/lib/python3/dist-packages')
from importlib.machinery import PathFinder
path = None
for part in '$1'.split('.'):
    spec = PathFinder.find_spec(part, path); path = spec and spec.submodule_search_locations
    spec or sys.exit(1)" 2>/dev/null; }

for_tests() {
  missing_packages <<END
docker.io dockerd
iptables iptables
iproute2 ip
bpftool bpftool
dnsmasq-base dnsmasq
busybox-static busybox
socat socat
nftables nft
python3-grpcio
python3-protobuf
protobuf-compiler protoc
protobuf-compiler-grpc grpc_python_plugin
openssl openssl
curl curl
faketime faketime
procps ps
systemd systemctl
nats-server nats-server
postgresql
END
}

for_checks() {
  missing_packages <<END
shellcheck shellcheck
END
}

for_engine() {
  missing_packages <<END
docker.io dockerd
END
}

install_debian_packages() {
  purpose=$1
  missing=$(echo "$2" | tr '\n' ' ' | sed 's/ *$//')
  [ -n "$missing" ] || return 0
  command="apt-get install -y --no-install-recommends $missing"
  command -v apt-get >/dev/null ||
    refuse "for the $purpose there must be programs of the Debian packages $missing, and there is no apt-get here. Install them by the means of this system."
  [ "$(id -u)" = 0 ] || refuse "Debian packages for the $purpose are missing. Run as root: $command"
  say "installing Debian packages for the $purpose: $missing"
  hold_services
  export DEBIAN_FRONTEND=noninteractive
  # The package lists may be missing or old; both show as a failure, and cost nothing when they are fine.
  log=$(mktemp)
  # shellcheck disable=SC2086 # a list of package names
  if ! try_apt install -y --no-install-recommends $missing >"$log" 2>&1; then
    try_apt update >"$log" 2>&1 || apt_failed "apt-get update"
    # shellcheck disable=SC2086
    try_apt install -y --no-install-recommends $missing >"$log" 2>&1 || apt_failed "$command"
  fi
  rm -f "$log"
  release_services
  case " $missing " in
  # With systemd the package also enables the engine for the next start of the machine; tests bring their own.
  *" docker.io "*) [ ! -d /run/systemd/system ] || systemctl --quiet disable docker.service docker.socket containerd.service || true ;;
  esac
  case " $missing " in
  *" nats-server "*) [ ! -d /run/systemd/system ] || systemctl --quiet disable nats-server.service || true ;;
  esac
}
try_apt() { apt-get -q -o DPkg::Lock::Timeout=120 "$@" </dev/null; }
apt_failed() {
  tail -n 20 "$log" >&2
  rm -f "$log"
  refuse "'$1' failed; its last lines are above."
}

# While packages are installed, a policy answers "may this service start?" with no, and a setting keeps PostgreSQL's package from
# making a database. What was there comes back.
policy=/usr/sbin/policy-rc.d
clusters=/etc/postgresql-common/createcluster.conf
hold_services() {
  trap release_services EXIT
  trap 'exit 130' INT TERM HUP
  for file in "$policy" "$clusters"; do
    if [ -e "$file" ] && [ ! -e "$file.kept" ]; then mv "$file" "$file.kept"; fi
    mkdir -p "${file%/*}"
  done
  printf '#!/bin/sh\n# Put here by tools/setup.sh while it installs packages.\nexit 101\n' >"$policy"
  chmod 755 "$policy"
  printf '# Put here by tools/setup.sh while it installs packages.\ncreate_main_cluster = false\n' >"$clusters"
}
release_services() {
  trap - EXIT INT TERM HUP
  for file in "$policy" "$clusters"; do
    rm -f "$file"
    if [ -e "$file.kept" ]; then mv "$file.kept" "$file"; fi
  done
  rmdir /etc/postgresql-common 2>/dev/null || true # When no package of its own put anything there.
}

require_node
install_node_packages
for need in "$@"; do
  case $need in
  --tests) install_debian_packages tests "$(for_tests)" ;;
  --check) install_debian_packages checks "$(for_checks)" ;;
  --engine) install_debian_packages "container engine" "$(for_engine)" ;;
  *) refuse "unknown option $need; there are --tests, --check and --engine." ;;
  esac
done
