"""`financehub parse` and `fold`: recordings to observations and states, without starting anything.

Nothing here imports Ray, a database driver or an HTTP client.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO, get_args

import msgspec

from actors.feeds.base import Adapter, Reject
from actors.feeds.offline import play_files
from actors.feeds.payloads import Payload, Unreadable, read_payloads
from actors.feeds.registry import load_adapter
from actors.feeds.tally import Tally
from domain.errors import Malformed, NotFound
from domain.market.observations import Observation

DONE, NEGATIVE = 0, 1

_encoder = msgspec.json.Encoder()


def parse(arguments: argparse.Namespace) -> int:
    """Observations to stdout, rejected frames to stderr, a JSON line each.

    1 where every frame was rejected. Raises NotFound for an unknown provider or a missing file, Malformed
    for a kind or venue that there is not.
    """
    adapter = load_adapter(arguments.provider)
    kind = _known_kind(arguments.kind)
    venue = _known_venue(adapter, arguments.venue)
    files = existing_files(arguments.files)
    printer = _Printer(sys.stdout, sys.stderr, kind)
    for file in files:
        for payload in read_payloads(file, venue):
            if isinstance(payload, Unreadable):
                printer.unreadable(file, payload)
            else:
                printer.frame(file, payload, adapter)
    return NEGATIVE if printer.frames and printer.rejected == printer.frames else DONE


def fold(arguments: argparse.Namespace) -> int:
    """One line per instrument at the end of the captures; rejected frames to stderr.

    1 where every frame was rejected. Raises NotFound for an unknown provider or a missing file.
    """
    adapter = load_adapter(arguments.provider)
    files = existing_files(arguments.files)
    tally = Tally(adapter.name)
    for step in play_files(adapter, files):
        tally.take(step)
        for reject, _ in step.rejects:
            sys.stderr.write(_text(reject_row(Path(step.file), step.line, reject)))
    for row in tally.rows():
        sys.stdout.write(_text(row))
    return NEGATIVE if tally.frames and tally.rejected == tally.frames else DONE


class _Printer:
    """Counts frames and how many of them gave nothing but rejects."""

    def __init__(self, out: TextIO, err: TextIO, kind: str | None) -> None:
        self.frames = 0
        self.rejected = 0
        self._out = out
        self._err = err
        self._kind = kind

    def frame(self, file: Path, payload: Payload, adapter: Adapter) -> None:
        parsed = adapter.parse(payload.body, payload.origin)
        self.frames += 1
        self.rejected += bool(parsed.rejects) and not parsed.observations
        for observation in parsed.observations:
            if self._kind is None or observation.kind == self._kind:
                self._out.write(_text(observation_row(observation, file)))
        self._rejects(file, payload.line, parsed.rejects)

    def unreadable(self, file: Path, unreadable: Unreadable) -> None:
        self.frames += 1
        self.rejected += 1
        self._rejects(file, unreadable.line, [Reject("malformed", unreadable.damage.reason)])

    def _rejects(self, file: Path, line: int, rejects: Iterable[Reject]) -> None:
        for reject in rejects:
            self._err.write(_text(reject_row(file, line, reject)))


def observation_row(observation: Observation, file: Path) -> dict[str, Any]:
    """An observation as it is printed: `kind`, its fields, and the file it came from."""
    return {"kind": observation.kind, **msgspec.structs.asdict(observation), "file": str(file)}


def reject_row(file: Path, line: int, reject: Reject) -> dict[str, Any]:
    """A rejected frame as it is printed; lines count from 1."""
    return {"file": str(file), "line": line, "class": reject.reject_class, "reason": reject.reason}


def _text(row: dict[str, Any]) -> str:
    return _encoder.encode(row).decode() + "\n"


def _known_kind(kind: str | None) -> str | None:
    kinds = sorted(each.kind for each in get_args(Observation))
    if kind is not None and kind not in kinds:
        raise Malformed(f"kind {kind!r} is not one of {', '.join(kinds)}")
    return kind


def _known_venue(adapter: Adapter, venue: str | None) -> str | None:
    if venue is not None and venue not in adapter.venues:
        raise Malformed(f"venue {venue!r} is none of {adapter.name}'s: {', '.join(adapter.venues)}")
    return venue


def existing_files(names: Iterable[str]) -> list[Path]:
    """Raises NotFound for the first one that is no file that can be read."""
    files = [Path(name) for name in names]
    for file in files:
        if not file.is_file():
            raise NotFound(f"{file}: {'no file' if file.exists() else 'no such file'}")
    return files
