#!/usr/bin/env bash
# Pin every dependency with hashes; the lock files name no registry.
set -euo pipefail
cd "$(dirname "$0")/.."
[ -x .venv/bin/python ] || python3 -m venv .venv
[ -x .venv/bin/uv ] || .venv/bin/pip install --quiet uv
for name in run dev; do
  .venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal \
    --python-version 3.11 "requirements/$name.in" -o "requirements/$name.txt" "$@"
done
