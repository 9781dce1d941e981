#!/usr/bin/env bash
# TimescaleDB for tests: PostgreSQL 17 with the extension as Debian ships it, in a root of its own.
#
#   scripts/timescale.sh start [PID]    build the root once, start the server on loopback, print its DSN
#   scripts/timescale.sh release PID    stop the server once none of the PIDs given to start uses it;
#                                       one that was started without a PID stays
#   scripts/timescale.sh status         exit 0 where the server runs, 1 where it does not
#   scripts/timescale.sh stop           stop the server; root and databases stay for the next time
#   scripts/timescale.sh drop           stop the server and delete its databases
#
# FINANCEHUB_TRIXIE_DIR (the root), FINANCEHUB_TIMESCALE_PORT and FINANCEHUB_TIMESCALE_NAME (a server of
# its own under the same root) say otherwise than the defaults below.
# The DSN is the only line on stdout. Needs root on Debian (mmdebstrap, chroot); packages come from the
# Debian mirror that this machine's apt uses. Nothing is written but the root and its lock file; while
# it is built its mounts and processes live in namespaces that end with it. Exit 3, with the reason as
# the last line on stderr, where this machine cannot do it.
set -euo pipefail

root="$(realpath -m "${FINANCEHUB_TRIXIE_DIR:-/var/cache/financehub-trixie}")"
port="${FINANCEHUB_TIMESCALE_PORT:-54817}"
cluster="/var/lib/${FINANCEHUB_TIMESCALE_NAME:-financehub-timescale}"
bin=/usr/lib/postgresql/17/bin
secret="$root$cluster.secret"
users="$root$cluster.users"
init_pid=1 # lives for ever, as whoever starts a server by hand expects of it
fresh="$root.part"
needed_mb=1500
start_attempts=30 # a second apart

say() { echo "timescale: $*" >&2; }
cannot() { say "$*"; exit 3; }
# Without the lock's descriptor: a server that inherited it would keep the lock for its life.
inside() { chroot "$root" su postgres -s /bin/sh -c "$1" >&2 9>&-; }

require_debian_root() {
  [ "$(id -u)" = 0 ] || cannot "needs root for a chroot"
  command -v apt-get >/dev/null || cannot "needs a Debian machine (apt-get)"
}

# One start or stop at a time: two test runs may begin together.
alone() {
  mkdir -p "$(dirname "$root")"
  exec 9>"$root.lock"
  flock -w 600 9 || cannot "another $0 holds $root.lock"
}

have_lists() { compgen -G "/var/lib/apt/lists/*_InRelease" >/dev/null; }

# A source that does not answer is no reason to give up: the others may have what is needed.
update_lists() { apt-get update -qq >&2 9>&- || say "apt-get update failed for some source"; }
apt_install() { DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o Dpkg::Use-Pty=0 --no-install-recommends "$@" >&2 9>&-; }

install_mmdebstrap() {
  command -v mmdebstrap >/dev/null && return
  say "installing mmdebstrap"
  apt_install mmdebstrap || { update_lists && apt_install mmdebstrap; } ||
    cannot "mmdebstrap cannot be installed with apt-get"
}

debian_mirror() {
  have_lists || update_lists
  apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 ~ /^https?:/ && $2 !~ /security/ && !found { print $2; found = 1 }'
}

# mmdebstrap mounts into the root that it builds. In namespaces of its own that ends with it, and all of
# it with this script, even by kill -9; where a container allows none, its own clean-up has to do.
isolated() {
  if unshare --mount --pid --fork true 2>/dev/null; then
    exec setpriv --pdeathsig KILL unshare --mount --pid --fork --kill-child --mount-proc "$@"
  fi
  exec "$@"
}

proxy_options() {
  local scheme proxy
  for scheme in http https; do
    proxy="$(apt-config dump --format '%v' "Acquire::$scheme::Proxy")"
    [ -z "$proxy" ] || echo "--aptopt=Acquire::$scheme::Proxy \"$proxy\""
  done
}

builder=
give_up() {
  [ -z "$builder" ] || { kill -KILL "$builder" && wait "$builder"; } 2>/dev/null || true
  rm -rf --one-file-system "$fresh"
}

build_root() {
  [ -x "$root$bin/postgres" ] && return
  [ ! -e "$root" ] || rmdir "$root" 2>/dev/null || cannot "$root is there and was not made by this script"
  install_mmdebstrap
  local mirror free_mb options
  mirror="$(debian_mirror)"
  [ -n "$mirror" ] || cannot "apt's sources name no Debian mirror"
  free_mb="$(df -Pm "$(dirname "$root")" | awk 'NR == 2 { print $4 }')"
  [ "$free_mb" -ge "$needed_mb" ] || cannot "$(dirname "$root") has $free_mb MB left, $needed_mb are needed"
  say "building $root (about 600 MB, once)"
  trap give_up EXIT
  give_up # what an earlier build left behind
  mapfile -t options < <(proxy_options)
  isolated mmdebstrap --quiet --variant=apt --include=postgresql-17-timescaledb \
    "${options[@]}" trixie "$fresh" "$mirror" >&2 &
  builder=$!
  wait "$builder" || cannot "mmdebstrap failed: is the mirror in reach?"
  builder=
  mv -T "$fresh" "$root"
  trap - EXIT
}

delete_cluster() { rm -rf --one-file-system "${root:?}${cluster:?}"{,.pw,.secret,.users}; }

make_cluster() {
  [ -s "$secret" ] && [ -f "$root$cluster/postgresql.conf" ] && return
  delete_cluster
  (umask 077 && head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$secret")
  install -d -o root -g root -m 755 "$root$(dirname "$cluster")"
  chroot "$root" install -d -o postgres -g postgres -m 700 "$cluster"
  install -m 600 "$secret" "$root$cluster.pw"
  chroot "$root" chown postgres "$cluster.pw"
  inside "$bin/initdb -D $cluster -U postgres --auth=scram-sha-256 --pwfile=$cluster.pw \
    --encoding=UTF8 --locale=C.UTF-8 >/dev/null" ||
    { delete_cluster; cannot "initdb failed"; }
  rm -f "$root$cluster.pw"
}

# mmap: the root has no /dev/shm of its own and none is mounted for it.
configure() {
  cat >"$root$cluster/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = ''
max_connections = 200
dynamic_shared_memory_type = mmap
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
timescaledb.max_background_workers = 4
shared_buffers = 128MB
max_wal_size = 1GB
CONF
}

# The lock file alone is no proof: after a kill -9 or a reboot its pid may be somebody else's.
running() {
  local pid
  pid="$(sed -n 1p "$root$cluster/postmaster.pid" 2>/dev/null)" && [ -n "$pid" ] &&
    [ "$(readlink "/proc/$pid/root")" = "$root" ] &&
    grep -q '^postgres$' "/proc/$pid/comm" 2>/dev/null
}

# Line 4 of the lock file is the port. A server that was just killed, or recovers, runs and does not answer.
answers() {
  running &&
    chroot "$root" "$bin/pg_isready" -q -h 127.0.0.1 -p "$(sed -n 4p "$root$cluster/postmaster.pid")" 9>&-
}

start_server() {
  local log="$root$cluster/server.log" attempt
  for attempt in $(seq "$start_attempts"); do
    if ! running; then
      rm -f "$root$cluster/postmaster.pid"
      configure
      inside "$bin/pg_ctl start -w -t 60 -D $cluster -l $cluster/server.log >/dev/null 2>&1" && return
      # Children of a server that was killed hold its shared memory until they notice.
      running || tail -n 20 "$log" | grep -q "shared memory block" || break
    fi
    sleep 1
    if answers; then return; fi
  done
  tail -n 5 "$log" >&2
  cannot "the server did not start on port $port (FINANCEHUB_TIMESCALE_PORT); see $log"
}

start() {
  require_debian_root
  alone
  if ! answers; then
    running || { build_root; make_cluster; : >"$users"; }
    start_server
  fi
  echo "${1:-$init_pid}" >>"$users"
  port="$(sed -n 4p "$root$cluster/postmaster.pid")"
  echo "postgresql://postgres:$(cat "$secret")@127.0.0.1:$port/postgres"
}

release() {
  local pid left=()
  require_debian_root
  alone
  for pid in $(cat "$users" 2>/dev/null); do
    [ "$pid" = "$1" ] || ! kill -0 "$pid" 2>/dev/null || left+=("$pid")
  done
  [ "${#left[@]}" -gt 0 ] || { stop; return; }
  printf '%s\n' "${left[@]}" >"$users"
  say "still used by ${left[*]}"
}

stop() {
  require_debian_root
  alone
  running || { say "not running"; return 0; }
  inside "$bin/pg_ctl stop -w -t 60 -m fast -D $cluster >/dev/null" || cannot "the server did not stop"
}

drop() {
  stop
  delete_cluster
}

case "${1:-}" in
  start) start "${2:-}" ;;
  release) release "${2:?PID}" ;;
  stop) stop ;;
  drop) drop ;;
  status) running || { say "not running"; exit 1; } ;;
  *) echo "usage: $0 start [PID]|release PID|status|stop|drop" >&2; exit 2 ;;
esac
