#!/usr/bin/env bash
# What takes longer than a test run: each part prints what it did and its verdict. Ends with 1 where one fails.
set -uo pipefail
cd "$(dirname "$0")/.."
python=.venv/bin/python
failed=0
echo "== a thousand simulated schedules"
"$python" -m tests.soak.simulation || failed=1
exit "$failed"
