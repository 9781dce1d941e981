"""`financehub parse` and `fold`: recordings to observations and states, without starting anything.

Nothing here imports Ray, a database driver or an HTTP client.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Any, TextIO

import msgspec

from actors.feeds.base import Parsed, Parser, Reject
from actors.feeds.offline import play_files
from actors.feeds.payloads import Entry, Payload, Row, read_payloads
from actors.feeds.source import Step
from actors.feeds.tally import GapEvent, Tally, is_named
from deployments.cli.recordings import GAP, Asked, known_kind, names, say
from domain.market.observations import Observation
from domain.market.reference import ReferenceFact

DONE, NEGATIVE = 0, 1

_encoder = msgspec.json.Encoder()


def parse(arguments: argparse.Namespace) -> int:
    """Observations to stdout, rejected frames to stderr, a JSON line each.

    1 where every frame was rejected. Raises NotFound for an unknown provider or a missing file, Malformed
    for a kind or venue that there is not.
    """
    asked, kind = Asked(arguments), known_kind(arguments.kind)
    printer = _Printer(sys.stdout, sys.stderr, kind, asked.symbol)
    if kind == GAP:
        for step in play_files(asked.adapter, asked.files, assumed=asked.assumed):
            printer.step(step)
        printer.end("no gap; a feed finds them between the frames of a capture")
    else:
        for file in asked.files:
            for entry in read_payloads(file, asked.parser, asked.assumed):
                printer.entry(file, entry, asked.parser)
        printer.end()
    return NEGATIVE if printer.frames and printer.rejected == printer.frames else DONE


def fold(arguments: argparse.Namespace) -> int:
    """One line per instrument at the end of the captures; rejected frames to stderr.

    With `--gaps` a line for each gap before them, as it opened and as it closed. 1 where every frame was
    rejected. Raises NotFound for an unknown provider or a missing file, Malformed for an unknown venue.
    """
    asked = Asked(arguments)
    tally = Tally(asked.adapter.name)
    for step in play_files(asked.adapter, asked.files, assumed=asked.assumed):
        gaps = tally.take(step)
        for reject, _ in step.rejects:
            sys.stderr.write(_text(reject_row(Path(step.file), step.line, reject)))
        for event in gaps if arguments.gaps else ():
            if asked.symbol is None or is_named(event.instrument, asked.symbol):
                sys.stdout.write(_text(gap_row(event, step)))
    rows = tally.rows()
    shown = [row for row in rows if asked.symbol is None or is_named(row["instrument"], asked.symbol)]
    for row in shown:
        sys.stdout.write(_text(row))
    if not shown:
        _say_why_nothing_is_shown(tally, {row["instrument"] for row in rows}, asked)
    return NEGATIVE if tally.frames and tally.rejected == tally.frames else DONE


def _say_why_nothing_is_shown(tally: Tally, instruments: set[str], asked: Asked) -> None:
    if instruments:
        say(f"nothing about {asked.symbol}; there are {names(instruments)}")
    elif tally.rejected < tally.frames:
        what = "descriptions, acknowledgements, or a book without its changes"
        more = f"`financehub parse {asked.adapter.name}` shows what is in them"
        say(f"nothing to fold in {tally.frames} frames ({what}): {more}")
    elif not tally.frames:
        say("no frame in it: connections that were opened and closed")


class _Printer:
    """Counts frames and how many of them gave nothing but rejects."""

    def __init__(self, out: TextIO, err: TextIO, kind: str | None, symbol: str | None) -> None:
        self.frames = 0
        self.rejected = 0
        self._out = out
        self._err = err
        self._kind = kind
        self._symbol = symbol
        self._printed = 0
        self._kinds: Counter[str] = Counter()
        self._instruments: set[str] = set()

    def entry(self, file: Path, entry: Entry, parser: Parser) -> None:
        match entry:
            case Payload():
                self._frame(file, entry.line, parser.parse(entry.body, entry.origin))
            case Row():
                parsed = entry.parsed
                if parsed.observations or parsed.facts or parsed.rejects:  # not so for a header
                    self._frame(file, entry.line, parsed)
            case _:
                self._frame(file, entry.line, Parsed([], [Reject("malformed", entry.damage.reason)]))

    def step(self, step: Step) -> None:
        """Of a session: its gaps."""
        self.frames += step.frames
        self.rejected += bool(step.rejects) and not step.observations
        self._observations(Path(step.file), step.observations)
        self._rejects(Path(step.file), step.line, (reject for reject, _ in step.rejects))

    def end(self, nothing: str | None = None) -> None:
        """Says why nothing was printed where something was there, or asked for that could not be."""
        seen = sum(self._kinds.values())
        if self._printed or (nothing is None and not seen) or self.frames == self.rejected:
            return
        symbol, found = self._symbol, self._instruments
        if symbol is not None and found and not any(is_named(each, symbol) for each in found):
            say(f"nothing about {symbol}; there are {names(found)}")
            return
        kinds = ", ".join(f"{kind} {count}" for kind, count in self._kinds.most_common())
        say(nothing or f"no {self._kind} among {seen} observations ({kinds})")

    def _frame(self, file: Path, line: int, parsed: Parsed) -> None:
        self.frames += 1
        self.rejected += parsed.is_refused
        self._observations(file, (*parsed.observations, *parsed.facts))
        self._rejects(file, line, parsed.rejects)

    def _observations(self, file: Path, observations: Iterable[Observation | ReferenceFact]) -> None:
        for observation in observations:
            self._kinds[observation.kind] += 1
            if self._symbol is not None:
                self._instruments.add(observation.instrument)
                if not is_named(observation.instrument, self._symbol):
                    continue
            if self._kind is None or observation.kind == self._kind:
                self._printed += 1
                self._out.write(_text(observation_row(observation, file)))

    def _rejects(self, file: Path, line: int, rejects: Iterable[Reject]) -> None:
        for reject in rejects:
            self._err.write(_text(reject_row(file, line, reject)))


def observation_row(observation: Observation | ReferenceFact, file: Path) -> dict[str, Any]:
    """An observation as it is printed: `kind`, its fields, and the file it came from."""
    return {"kind": observation.kind, **msgspec.structs.asdict(observation), "file": str(file)}


def gap_row(event: GapEvent, step: Step) -> dict[str, Any]:
    """A gap as it is printed, and the line by which it was noticed or closed."""
    place = {"file": step.file, "line": step.line}
    return {"kind": event.kind, **msgspec.structs.asdict(event), **place}


def reject_row(file: Path, line: int, reject: Reject) -> dict[str, Any]:
    """A rejected frame as it is printed; lines count from 1."""
    return {"file": str(file), "line": line, "class": reject.reject_class, "reason": reject.reason}


def _text(row: dict[str, Any]) -> str:
    return _encoder.encode(row).decode() + "\n"
