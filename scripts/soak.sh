#!/usr/bin/env bash
# Long proofs: kills under load, then seeded schedules of the simulation. Arguments go to the kills
# (--minutes 5 --seed 1 --clients 2). Ends with 1 on any fault.
set -euo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
failed=0
echo "== kills under load"
"$python" -m tests.soak.kills "$@" || failed=1
if [ -f tests/soak/simulation.py ]; then
  echo "== simulation"
  "$python" -m tests.soak.simulation || failed=1
fi
exit "$failed"
