#!/usr/bin/env bash
# Long proofs: kills under load, then a thousand simulated schedules. Arguments go to the kills
# (--minutes 5 --seed 1 --clients 2). Each part prints what it did and its verdict. Ends with 1 where one fails.
set -uo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
failed=0
echo "== kills under load"
"$python" -m tests.soak.kills "$@" || failed=1
echo "== a thousand simulated schedules"
"$python" -m tests.soak.simulation || failed=1
exit "$failed"
