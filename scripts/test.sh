#!/usr/bin/env bash
# Everything: lint, then one pytest run, fast tests first. Ends with pytest's own summary.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
echo "== lint"
"$python" -m ruff check --quiet .
"$python" -m ruff format --check --quiet .
"$python" -m mypy domain storage actors deployments observability
.venv/bin/lint-imports --no-cache >/dev/null || { .venv/bin/lint-imports --no-cache; exit 1; }
echo "== TimescaleDB"
if [ -z "${FINANCEHUB_TEST_TIMESCALE_DSN:-}" ] && [ "${FINANCEHUB_TEST_TIMESCALE:-auto}" != "off" ]; then
  trap 'bash scripts/timescale.sh release $$ || true' EXIT
  if dsn=$(bash scripts/timescale.sh start $$); then
    export FINANCEHUB_TEST_TIMESCALE_DSN="$dsn"
  else
    echo "no TimescaleDB here: its tests will skip"
  fi
fi
echo "== browser"
bash scripts/chromium.sh || echo "the browser tests will skip"
echo "== tests"
"$python" -m pytest --cov --cov-report=term:skip-covered "$@"
