"""Samples of several processes as Prometheus text (exposition format 0.0.4)."""

from __future__ import annotations

from collections.abc import Iterable

from observability.metrics import INSTRUMENTS, Sample

CONTENT_TYPE = "text/plain; version=0.0.4"
"""In UTF-8; whoever answers with it says so."""


def render(samples: Iterable[tuple[str, Sample]]) -> str:
    """(process, sample) pairs -> text, grouped by metric; the process becomes the label `process`."""
    by_name: dict[str, list[tuple[str, Sample]]] = {}
    for process, sample in samples:
        by_name.setdefault(sample.name, []).append((process, sample))
    lines: list[str] = []
    for name in sorted(by_name):
        exposed = exposed_name(name)
        lines += [
            f"# HELP {exposed} {INSTRUMENTS[name].description}",
            f"# TYPE {exposed} {INSTRUMENTS[name].kind}",
        ]
        for process, sample in by_name[name]:
            lines += _series(exposed, {**sample.attributes, "process": process}, sample)
    return "\n".join(lines) + "\n"


def exposed_name(name: str) -> str:
    """`financehub.shard.append` (s) -> `financehub_shard_append_seconds`; counters end in `_total`."""
    declared = INSTRUMENTS[name]
    base = name.replace(".", "_")
    if declared.unit == "s":
        base += "_seconds"
    return base + "_total" if declared.kind == "counter" else base


def _series(exposed: str, labels: dict[str, str], sample: Sample) -> list[str]:
    if sample.kind != "histogram":
        return [f"{exposed}{_labels(labels)} {_number(sample.value)}"]
    lines, running = [], 0
    for bound, count in zip([*(f"{b:g}" for b in sample.bounds), "+Inf"], sample.buckets, strict=True):
        running += count
        lines.append(f"{exposed}_bucket{_labels({**labels, 'le': bound})} {running}")
    lines.append(f"{exposed}_sum{_labels(labels)} {_number(sample.value)}")
    lines.append(f"{exposed}_count{_labels(labels)} {sample.count}")
    return lines


def _number(value: float) -> str:
    """Every digit: a counter of millions that is cut to six of them stands still for many events."""
    return str(int(value)) if value.is_integer() else repr(value)


def _labels(labels: dict[str, str]) -> str:
    inside = ",".join(f'{key}="{_escaped(value)}"' for key, value in sorted(labels.items()))
    return "{" + inside + "}" if inside else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
