"""What the verbs over recordings take in common: a provider, files, and what is assumed of them."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from actors.feeds.base import Adapter, Assumed, Parser
from actors.feeds.registry import load_adapter, load_parser
from actors.feeds.streams import STDIN
from domain.errors import Malformed, NotFound
from domain.market.observations import Observation
from domain.market.reference import ReferenceFact

GAP = "gap"
MAX_NAMED = 8
"""So many instruments are named where none of them is the one that was asked for."""


class Asked:
    """The arguments, checked. Raises NotFound for an unknown provider or a missing file, Malformed."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.parser = load_parser(arguments.provider)
        self.files = existing_files(arguments.files)
        self.assumed = assumed_of(self.parser, arguments.venue, arguments.symbol)
        self.symbol: str | None = self.assumed.symbol

    @property
    def adapter(self) -> Adapter:
        """Raises NotFound where nothing streams from the provider."""
        return load_adapter(self.parser.name)


def assumed_of(adapter: Parser, venue: str | None, symbol: str | None) -> Assumed:
    """A symbol may be an id, `BTC-USDT.BINANCE`: then its venue is meant as well. Raises Malformed."""
    known = None if venue is None else venue.upper()
    if known is not None and known not in adapter.venues:
        raise Malformed(f"venue {venue!r} is none of {adapter.name}'s: {', '.join(adapter.venues)}")
    if symbol is None:
        return Assumed(known)
    letters, dot, of = symbol.strip().rpartition(".")
    if dot and of.upper() in adapter.venues:
        return Assumed(known or of.upper(), letters.upper())
    if not symbol.strip():
        raise Malformed("the symbol is empty")
    return Assumed(known, symbol.strip().upper())


def known_kinds() -> list[str]:
    return sorted(each.kind for each in (*get_args(Observation), *get_args(ReferenceFact)))


def known_kind(kind: str | None) -> str | None:
    """Raises Malformed for a kind that no observation has."""
    if kind is not None and kind.lower() not in known_kinds():
        raise Malformed(f"kind {kind!r} is not one of {', '.join(known_kinds())}")
    return None if kind is None else kind.lower()


def existing_files(names: Iterable[str]) -> list[Path]:
    """`-` is standard input. Raises NotFound for the first that cannot be read, Malformed for two `-`."""
    files = [Path(name) for name in names]
    if files.count(STDIN) > 1:
        raise Malformed("standard input (-) can be read once only")
    for file in files:
        if file == STDIN:
            _say_who_is_waited_for()
        elif file.is_dir() or not file.exists():  # a pipe, as of <(zcat a.gz), is as good as a file
            raise NotFound(f"{file}: {'a folder, not a file' if file.exists() else 'no such file'}")
    return files


def _say_who_is_waited_for() -> None:
    if sys.stdin.isatty():
        say("reading standard input; Ctrl-D ends it")


def names(found: Iterable[str]) -> str:
    """The first few, and how many more there are."""
    listed = sorted(found)
    more = len(listed) - MAX_NAMED
    return ", ".join(listed[:MAX_NAMED]) + (f" and {more} more" if more > 0 else "")


def say(text: str) -> None:
    print(f"financehub: {text}", file=sys.stderr)
