#!/usr/bin/env bash
# TimescaleDB for tests: PostgreSQL 17 with the extension as Debian ships it, in a root of its own.
#
#   scripts/timescale.sh start    build the root once, start the server on loopback, print its DSN
#   scripts/timescale.sh stop     stop the server; the built root stays for the next time
#
# The DSN is the only line on stdout. Needs root on Debian (mmdebstrap, chroot); nothing is mounted into
# the root and nothing outside the cache directory is written. Exit 3 where this machine cannot do it.
set -euo pipefail

root="${FINANCEHUB_TRIXIE_DIR:-/var/cache/financehub-trixie}"
port="${FINANCEHUB_TIMESCALE_PORT:-54817}"
cluster=/var/lib/financehub-timescale
bin=/usr/lib/postgresql/17/bin
secret="$root.secret"

say() { echo "timescale: $*" >&2; }
cannot() { say "$*"; exit 3; }
inside() { chroot "$root" su postgres -s /bin/sh -c "$1" >&2; }

require_debian_root() {
  [ "$(id -u)" = 0 ] || cannot "needs root for a chroot"
  command -v apt-get >/dev/null || cannot "needs a Debian machine (apt-get)"
}

debian_mirror() {
  local uri
  uri="$(apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' |
    awk '$1 == "Debian" && $2 ~ /^https?:/ && $2 !~ /security/ { print $2; exit }')"
  echo "${uri:-http://deb.debian.org/debian}"
}

build_root() {
  [ -x "$root$bin/postgres" ] && return
  if ! command -v mmdebstrap >/dev/null; then
    say "installing mmdebstrap"
    { apt-get update -qq && apt-get install -y -qq --no-install-recommends mmdebstrap; } >&2 ||
      cannot "mmdebstrap cannot be installed"
  fi
  say "building $root (about 400 MB, once)"
  # A build that was cut short must not look like a finished one.
  local fresh="$root.part" proxy
  rm -rf --one-file-system "$fresh"
  proxy="$(apt-config dump --format '%v' Acquire::http::Proxy)"
  mmdebstrap --quiet --variant=apt --include=postgresql-17-timescaledb \
    ${proxy:+--aptopt="Acquire::http::Proxy \"$proxy\""} \
    trixie "$fresh" "$(debian_mirror)" >&2 || cannot "mmdebstrap failed: no Debian mirror in reach?"
  rm -rf --one-file-system "$root"
  mv "$fresh" "$root"
}

make_cluster() {
  [ -f "$root$cluster/PG_VERSION" ] && return
  (umask 077 && head -c 18 /dev/urandom | base64 | tr '+/' '-_' >"$secret")
  install -d -o root -g root -m 755 "$root$(dirname "$cluster")"
  chroot "$root" install -d -o postgres -g postgres -m 700 "$cluster"
  install -m 600 "$secret" "$root$cluster.pw"
  chroot "$root" chown postgres "$cluster.pw"
  inside "$bin/initdb -D $cluster -U postgres --auth=scram-sha-256 --pwfile=$cluster.pw \
    --encoding=UTF8 --locale=C.UTF-8" || { rm -rf "${root:?}$cluster"; cannot "initdb failed"; }
  rm -f "$root$cluster.pw"
  # mmap: the root has no /dev/shm of its own and none is mounted for it.
  cat >>"$root$cluster/postgresql.conf" <<CONF
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
dynamic_shared_memory_type = mmap
shared_preload_libraries = 'timescaledb'
timescaledb.telemetry_level = off
timescaledb.max_background_workers = 4
shared_buffers = 128MB
max_wal_size = 1GB
CONF
}

running() { inside "$bin/pg_ctl status -D $cluster" >/dev/null 2>&1; }

start() {
  require_debian_root
  build_root
  make_cluster
  running || inside "$bin/pg_ctl start -w -t 60 -D $cluster -l $cluster/server.log -o '-p $port'" ||
    cannot "the server did not start; see $root$cluster/server.log"
  port="$(sed -n 4p "$root$cluster/postmaster.pid")"
  echo "postgresql://postgres:$(cat "$secret")@127.0.0.1:$port/postgres"
}

stop() {
  require_debian_root
  [ -x "$root$bin/pg_ctl" ] && running || { say "not running"; return 0; }
  inside "$bin/pg_ctl stop -w -m fast -D $cluster"
}

case "${1:-}" in
  start) start ;;
  stop) stop ;;
  *) echo "usage: $0 start|stop" >&2; exit 2 ;;
esac
