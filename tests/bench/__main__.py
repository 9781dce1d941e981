"""`python -m tests.bench`: measure, print, write bench.json."""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from tests.bench.rows import FULL, QUICK, ROOT, Row, Scale, commit

GROUPS: dict[str, tuple[str, ...]] = {
    "decode": ("decode_vs_cryptofeed",),
    "folding": ("replay_events_per_s",),
    "indicators": (
        *("indicators_10k_ms", "indicators_vs_talipp", "indicators_vs_talib_stream"),
        *("frames_vs_talib", "frames_vs_polars_talib"),
    ),
    "indicators_http": ("sma_http_p95_ms",),
    "log_size": ("log_bytes_per_event_busy", "log_bytes_per_event_quiet"),
    "appending": ("append_p99_ms_20k",),
    "ingest": ("ingest_events_per_s",),
    "serving": (
        *("feed_to_client_p50_ms", "feed_to_client_p99_ms", "handshake_p99_ms"),
        *("bars_1d_p95_ms", "http_p95_ms"),
    ),
    "patterns": ("pattern_precision", "pattern_recall", "pattern_false_per_10k", "pattern_scan_500x1y_s"),
    "anomalies": (
        *("anomaly_f1", "anomaly_false_per_symbol_week"),
        *("reference_anomaly_f1", "reference_false_per_symbol_week"),
    ),
    "lifecycle": ("startup_s", "recovery_s"),
}
"""Module -> the names it is asked by; further rows of a module are named after these."""
OUTPUT = ROOT / "bench.json"


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench")
    parser.add_argument(
        "--only", nargs="+", metavar="NAME", help="these figures (or groups); others keep their rows"
    )
    parser.add_argument("--quick", action="store_true", help="a fifth of the work; figures are rough")
    parser.add_argument("--out", type=Path, default=OUTPUT)
    options = parser.parse_args(arguments)
    try:
        groups = wanted_groups(options.only)
    except KeyError as error:
        print(f"unknown figure {error.args[0]!r}; known: {', '.join(known())}", file=sys.stderr)
        return 2
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that instances are taken down
    kept = [] if options.only is None else read_rows(options.out)
    failed = False
    for name in groups:
        rows = measured(name, QUICK if options.quick else FULL)
        failed |= rows is None
        kept = replaced(kept, [as_json(row) for row in rows or ()])
        options.out.write_text(json.dumps(kept, indent=1) + "\n")
    print(json.dumps(kept, indent=1))
    return 4 if failed else 0


def known() -> list[str]:
    return sorted({*GROUPS, *(figure for figures in GROUPS.values() for figure in figures)})


def wanted_groups(names: Sequence[str] | None) -> list[str]:
    """Groups in their order. Raises KeyError of a name that no group has."""
    if names is None:
        return list(GROUPS)
    for name in names:
        if name not in known():
            raise KeyError(name)
    return [group for group, figures in GROUPS.items() if {group, *figures} & set(names)]


def measured(group: str, scale: Scale) -> list[Row] | None:
    """None where the group could not be measured; the others still are."""
    began = time.monotonic()
    print(f"{group} ...", file=sys.stderr, flush=True)
    try:
        rows: list[Row] = import_module(f"tests.bench.{group}").group(scale)
    except Exception as error:  # noqa: BLE001 - one figure's failure must not cost the others
        print(f"{group} failed: {error!r}", file=sys.stderr)
        return None
    for row in rows:
        against = f"  {row.ratio:.2f} x {row.peer}" if row.ratio else ""
        print(f"  {row.name:<34} {row.value:>14,.2f} {row.unit}{against}", file=sys.stderr)
    print(f"  ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
    return rows


def as_json(row: Row) -> dict[str, Any]:
    return {
        "name": row.name,
        "value": round(row.value, 4),
        "unit": row.unit,
        "peer": row.peer,
        "peer_value": None if row.peer_value is None else round(row.peer_value, 4),
        "ratio": None if row.ratio is None else round(row.ratio, 4),
        "n": row.n,
        "commit": commit(),
    }


def replaced(kept: list[dict[str, Any]], new: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """New rows in the place of all of their names: a name may have several rows, told apart by `peer`."""
    names = {row["name"] for row in new}
    return [row for row in kept if row["name"] not in names] + new


def read_rows(file: Path) -> list[dict[str, Any]]:
    """Rows of an earlier run; none where there was none."""
    rows: list[dict[str, Any]] = json.loads(file.read_text()) if file.exists() else []
    return rows


if __name__ == "__main__":
    sys.exit(main())
