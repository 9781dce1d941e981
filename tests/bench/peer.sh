#!/usr/bin/env bash
# Make .venv-bench, the peers' own environment. Prints its interpreter; does nothing where it is there.
# cryptofeed is built from source where no wheel fits: a C compiler and Python's headers are needed.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=.venv-bench
if [ ! -e "$venv/.installed" ] || [ requirements/bench.in -nt "$venv/.installed" ]; then
    python3.11 -m venv "$venv"
    echo '*' > "$venv/.gitignore"
    "$venv/bin/pip" install --quiet --disable-pip-version-check -r requirements/bench.in >&2
    # The last release that speaks Coinbase's Exchange feed; later ones know the Advanced Trade API only.
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --upgrade \
        --target "$venv/exchange-api" 'cryptofeed==2.3.2' >&2
    touch "$venv/.installed"
fi
echo "$PWD/$venv/bin/python"
