#!/usr/bin/env bash
# install.sh run|dev: make .venv and install the pinned requirements, hashes checked.
set -euo pipefail
cd "$(dirname "$0")/.."
what=${1:-run}
python=${PYTHON:-python3}
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
  echo "FinanceHub needs Python 3.11 or newer; set PYTHON=/path/to/python3" >&2; exit 1; }
[ -x .venv/bin/python ] || "$python" -m venv .venv
echo "installing the $what requirements" >&2
if ! .venv/bin/python -m uv --version >/dev/null 2>&1; then
  .venv/bin/python -m pip install --quiet --disable-pip-version-check uv 2>/dev/null || true
fi
if .venv/bin/python -m uv --version >/dev/null 2>&1; then
  .venv/bin/python -m uv pip install --quiet --python .venv/bin/python --require-hashes -r "requirements/$what.txt"
else
  .venv/bin/python -m pip install --quiet --require-hashes -r "requirements/$what.txt"
fi
cat > .venv/bin/financehub <<SH
#!/usr/bin/env bash
root="$PWD"
export PYTHONPATH="\$root\${PYTHONPATH:+:\$PYTHONPATH}"
exec "\$root/.venv/bin/python" -m deployments.cli "\$@"
SH
chmod +x .venv/bin/financehub
