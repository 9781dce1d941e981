"""What `--help` says below the arguments. Put together only when it is asked for."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from textwrap import fill

HELP_WIDTH = 100

EXIT_CODES = """exit codes:
  0  done
  1  the answer is negative: a fault was found, nothing could be parsed
  2  usage: an argument, a file or a name that there is not
  3  the running system or its database cannot be reached
  4  internal or environment failure"""

FILES = """files:
  Plain, gzip, Zstandard or a zip archive of one file, told by their content; - is standard input.
  A capture, as `record` writes it, has a JSON object per line:
    {"ts_recv": ns, "source": "ws"|"http"|"open"|"close", "endpoint": URL, "frame": "text as received"}
  A ts_recv in s, ms, us or RFC 3339 is understood too."""

PARSED = """\
  `parse` also reads a single payload, payloads one per line, and tables of data.binance.vision: klines,
  trades, aggTrades, bookTicker. Keep their folders (futures/um/daily/klines/...) where you can: bars of
  mark, index and premium prices, which are no trades, have the names of ordinary ones. Where the venue
  or the symbol is in neither name nor content, --venue and --symbol say it."""

TABLES = """files:
  CSV or Parquet, plain, gzip, Zstandard or a zip archive of one file; - is standard input."""

FOLDED = """gaps:
  --gaps prints, before the instruments, a line for each gap of a feed (`gap`: opened, later closed) and each
  book that broke or was restored (`book_broken`, `book_restored`), with the capture's line."""


class Verb(argparse.ArgumentParser):
    """A parser whose help ends in `below`: texts, or functions that make them."""

    below: Sequence[str | Callable[[], str]] = (EXIT_CODES,)

    def format_help(self) -> str:
        parts = [part if isinstance(part, str) else part() for part in self.below]
        return super().format_help() + "".join(f"\n{part}\n" for part in parts)


def sources() -> str:
    """Providers and their venues."""
    from actors.feeds.registry import VENUES

    width = max(map(len, VENUES)) + 2
    listed = "\n".join(f"  {name:<{width}}{', '.join(venues)}" for name, venues in sorted(VENUES.items()))
    return f"providers and their venues (in any case):\n{listed}"


def parsed() -> str:
    """Providers of which `parse` alone understands the payloads, under every name they have."""
    from actors.feeds.registry import ALIASES, PARSERS

    known = [
        name + "".join(f" (or {alias})" for alias, of in ALIASES.items() if of == name) for name in PARSERS
    ]
    lines = fill(", ".join(sorted(known)), HELP_WIDTH, initial_indent="  ", subsequent_indent="  ")
    return f"understood by `parse`, nothing connects to them yet:\n{lines}" if known else ""


def kinds() -> str:
    """Of observations. `gap` is no provider's word: a session finds gaps between frames."""
    from deployments.cli.recordings import known_kinds

    return (
        f"kinds:\n  {' '.join(known_kinds())}\n"
        "  --kind gap plays captures as a feed would and prints the gaps that it finds (see also fold --gaps)"
    )


def event_kinds() -> str:
    """Of everything in the log."""
    from deployments.cli.log import known_kinds

    names = known_kinds()
    lines = [" ".join(names[at : at + 8]) for at in range(0, len(names), 8)]
    return "kinds:\n" + "\n".join(f"  {line}" for line in lines)
