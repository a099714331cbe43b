#!/bin/sh
# Makes a bare machine able to run `npm run demo`, `npm test`, `npm run check` and `npm run build`:
# distribution packages, npm packages, the native addon and the BPF objects. Idempotent; does nothing the second
# time. Usage: setup.sh demo|test|check|build
set -eu
cd "$(dirname "$0")/.."
purpose=${1:-test}

say() { echo "torii setup: $*" >&2; }

build="gcc libc6-dev clang llvm libbpf-dev"
fabric="iproute2 ethtool nftables libbpf1 frr iputils-ping procps util-linux"
case $purpose in
demo) packages="$build $fabric" ;;
test) packages="$build $fabric tshark bird2 gobgpd" ;;
check) packages="$build clang-format" ;;
build) packages="$build" ;;
*) say "unknown purpose '$purpose': demo, test, check or build"; exit 2 ;;
esac

case $purpose in
demo | test)
  if [ "$(id -u)" -ne 0 ]; then
    echo "torii: npm run $purpose needs root (network namespaces, XDP): run it as root, for example with sudo" >&2
    exit 1
  fi
  ;;
esac

# Two commands started at once must not install or build over one another.
mkdir -p build
exec 9>build/setup.lock
if command -v flock >/dev/null 2>&1; then flock 9; fi

install_packages() {
  missing=""
  if ! command -v dpkg-query >/dev/null 2>&1 || ! command -v apt-get >/dev/null 2>&1; then
    for tool in cc clang llvm-strip ip ethtool nft nsenter unshare ping; do
      case "$purpose:$tool" in check:ip | check:ethtool | check:nft | check:ping | build:ip | build:ethtool | build:nft | build:ping) continue ;; esac
      command -v "$tool" >/dev/null 2>&1 || missing="$missing $tool"
    done
    if [ -n "$missing" ]; then
      say "this is not Debian or Ubuntu: install what provides$missing (Debian's names:$(printf ' %s' $packages)), then run this again"
      exit 1
    fi
    return
  fi
  for package in $packages; do
    case $(dpkg-query -W -f='${db:Status-Status}' "$package" 2>/dev/null || true) in
    installed) ;;
    *) missing="$missing $package" ;;
    esac
  done
  [ -n "$missing" ] || return 0
  if [ "$(id -u)" -ne 0 ]; then
    say "missing packages:$missing; install them as root: apt-get install$missing"
    exit 1
  fi
  say "installing Debian packages:$missing"
  export DEBIAN_FRONTEND=noninteractive
  # Daemons like FRR must not start on the host: the fabric starts its own in namespaces.
  policy=""
  if [ ! -e /usr/sbin/policy-rc.d ]; then
    policy=/usr/sbin/policy-rc.d
    trap 'rm -f "$policy"' EXIT INT TERM
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
  fi
  log=build/apt.log
  if ! { apt-get update -q && apt-get install -y -q --no-install-recommends $missing; } >"$log" 2>&1 9>&-; then
    tail -n 20 "$log" >&2
    say "apt-get failed (its output: $log)"
    exit 1
  fi
  if [ -n "$policy" ]; then
    rm -f "$policy"
    trap - EXIT INT TERM
  fi
  if [ -d /run/systemd/system ]; then
    for service in frr bird gobgpd; do
      case "$missing " in *" $service"*) systemctl disable --quiet --now "$service" 2>/dev/null || true ;; esac
    done
  fi
}

# What the build depends on, as one hash: it is done again only when that changes.
digest_of() { cat "$@" | sha256sum | cut -d ' ' -f 1; }

install_packages

lock=$(digest_of package.json package-lock.json tools/node/package.json)
if [ "$(cat node_modules/.torii-stamp 2>/dev/null || true)" != "$lock" ]; then
  say "installing npm packages"
  if ! npm ci --no-audit --no-fund --loglevel=error >build/npm.log 2>&1 9>&-; then
    tail -n 20 build/npm.log >&2
    say "npm ci failed (its output: build/npm.log)"
    exit 1
  fi
  echo "$lock" >node_modules/.torii-stamp
fi

native=$(digest_of native/*.c native/*.h scripts/native.sh tools/node/package.json)
if [ "$(cat build/native.stamp 2>/dev/null || true)" != "$native" ] || ! ls prebuilds/linux-*/torii.node >/dev/null 2>&1; then
  say "building the native addon"
  sh scripts/native.sh 9>&-
  echo "$native" >build/native.stamp
fi

bpf=$(digest_of forwarder/xdp/*.c forwarder/xdp/*.h scripts/bpf.sh)
if [ "$(cat build/bpf.stamp 2>/dev/null || true)" != "$bpf" ] || ! ls prebuilds/bpf/*.o >/dev/null 2>&1; then
  say "compiling the XDP program"
  sh scripts/bpf.sh 9>&-
  echo "$bpf" >build/bpf.stamp
fi
