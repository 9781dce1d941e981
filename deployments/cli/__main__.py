"""`financehub`: one parser; each verb's module is imported only when the verb runs.

Data on stdout, everything else on stderr. Exit codes: see `help_text`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import sys
import traceback
from collections.abc import Callable, Sequence
from importlib import import_module

from deployments.cli.help_text import (
    EXIT_CODES,
    FILES,
    FOLDED,
    PARSED,
    TABLES,
    Verb,
    event_kinds,
    kinds,
    parsed,
    sources,
)
from domain.errors import FinanceHubError, Malformed, Rejected, Retryable

FOLD_HELP = """One JSON line per instrument, at the end of the captures. `rejected` counts the rejected frames
whose text names the instrument, plus those that name none: such a frame could have been any instrument's,
so it counts for all of them. Each rejected frame is a JSON line on stderr."""

PATTERNS_HELP = """One JSON line per event in the life of a pattern: forming, confirmed, then target_hit or
invalidated. `row` is the data row with which it became known. Candlestick patterns occur on most
bars and are left out unless asked for by --candles or by name."""

Run = Callable[[argparse.Namespace], int]

DONE, NEGATIVE, USAGE, UNREACHABLE, FAILED = 0, 1, 2, 3, 4


def main(arguments: Sequence[str] | None = None) -> int:
    parser = _parser()
    chosen = parser.parse_args(arguments)
    module, _, function = chosen.verb_at.partition(":")
    try:
        verb: Run = getattr(import_module(module), function)
        return _over_table(verb, chosen) if hasattr(chosen, "input") else verb(chosen)
    except Rejected as error:
        return _fail(USAGE, error)
    except Retryable as error:
        return _fail(UNREACHABLE, error)
    except BrokenPipeError:  # the reader has gone, as in `financehub tail | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (FinanceHubError, OSError) as error:
        return _fail(FAILED, error)
    except KeyboardInterrupt:
        return FAILED
    except Exception as error:  # noqa: BLE001 - Python's own exit code, 1, would read as a negative answer
        traceback.print_exc()
        return _fail(FAILED, error)


def _over_table(verb: Run, chosen: argparse.Namespace) -> int:
    from deployments.cli.inputs import plain_input

    with contextlib.ExitStack() as stack:
        try:
            chosen.input = stack.enter_context(plain_input(chosen.input))
        except Malformed as error:  # as for any table that cannot be read
            return _fail(NEGATIVE, error)
        return verb(chosen)


def _fail(code: int, error: Exception) -> int:
    print(f"financehub: {error}", file=sys.stderr)
    return code


def _parser() -> Verb:
    parser = Verb(prog="financehub", description="Self-hosted real-time market-data hub.", allow_abbrev=False)
    parser.below = ("`financehub VERB --help` explains a verb.", sources, parsed, EXIT_CODES)
    verbs = parser.add_subparsers(metavar="VERB", required=True, parser_class=Verb)
    _add_lifecycle(verbs)
    _add_log_verbs(verbs)
    _add_capture_verbs(verbs)
    _add_analytics(verbs)
    for name in ("indicators", "anomalies", "patterns"):
        verbs.choices[name].below = (TABLES, EXIT_CODES)
    return parser


def _add_lifecycle(verbs: argparse._SubParsersAction[Verb]) -> None:
    up = _verb(verbs, "up", "start everything; Ctrl-C stops it", "deployments.cli.lifecycle:up")
    up.add_argument("--detach", action="store_true", help="return once it serves")
    up.add_argument("--json", action="store_true", help="print the addresses as one JSON line")
    up.add_argument("--feeds", help="comma-separated providers to run instead of the settings' list; sim too")
    up.below = (sources, EXIT_CODES)
    up.add_argument("--port", type=int, help="HTTP and WebSocket port")
    up.add_argument("--dsn", help="PostgreSQL or TimescaleDB instead of the embedded database")
    status = _verb(verbs, "status", "what runs, where, and how it does", "deployments.cli.lifecycle:status")
    status.add_argument("--json", action="store_true", help="one JSON document")
    _verb(verbs, "down", "stop a running instance", "deployments.cli.lifecycle:down")
    token = _verb(verbs, "token", "print a token for HTTP and WebSocket", "deployments.cli.lifecycle:token")
    token.add_argument("--user", default="me", help="who the token is for (default: me)")
    token.add_argument("--role", choices=("admin", "trader", "viewer"), default="viewer")
    token.add_argument("--ttl", default="1h", help="how long it lasts: 90s 15m 1h 30d (default: 1h)")


def _add_log_verbs(verbs: argparse._SubParsersAction[Verb]) -> None:
    tail = _verb(verbs, "tail", "events of the log as JSON lines", "deployments.cli.log:tail")
    tail.add_argument(
        "--from", dest="start", help="cursor, RFC 3339 time or now-15m (default: the beginning)"
    )
    tail.add_argument("--instrument", help="only this instrument, as BTC-USDT.BINANCE")
    tail.add_argument("--kind", help="only events of this kind")
    tail.below = (event_kinds, EXIT_CODES)
    tail.add_argument("--follow", action="store_true", help="go on at the head")
    verify = _verb(verbs, "verify", "check the whole log; exit 1 on any fault", "deployments.cli.log:verify")
    verify.add_argument("--json", action="store_true", help="one JSON document")
    verify.add_argument(
        "--full", action="store_true", help="replay from the beginning, not from a snapshot some way back"
    )
    for reading in (tail, verify):
        reading.add_argument("--dsn", help="a database by address (default: that of the instance)")
    replay = _verb(verbs, "replay", "put a capture through the system", "deployments.cli.log:replay")
    replay.add_argument("file", help="a capture, or - for standard input")
    replay.add_argument("--provider", required=True)
    replay.below = (sources, FILES, EXIT_CODES)
    replay.add_argument("--speed", choices=("1", "10", "max"), default="max")
    replay.add_argument("--json", action="store_true", help="one JSON line at the end")


def _add_capture_verbs(verbs: argparse._SubParsersAction[Verb]) -> None:
    record = _verb(
        verbs, "record", "record a provider's frames to a capture", "deployments.cli.record:record"
    )
    record.add_argument("--provider", required=True)
    record.below = (sources, EXIT_CODES)
    record.add_argument("--instruments", help="comma-separated ids (default: the settings' watch list)")
    record.add_argument("--for", dest="duration", default="60s", help="how long: 30s 5m (default: 60s)")
    record.add_argument("--out", required=True, help="capture to write; .gz and .zst compress")
    parse = _verb(
        verbs, "parse", "payloads or captures to observations, offline", "deployments.cli.offline:parse"
    )
    _add_recordings(parse, "FILE")
    parse.add_argument("--kind", help="only observations of this kind; gap: those a feed would find")
    parse.below = (sources, parsed, kinds, f"{FILES}\n{PARSED}", EXIT_CODES)
    fold = _verb(verbs, "fold", "captures to the state they end in, offline", "deployments.cli.offline:fold")
    fold.description = FOLD_HELP
    _add_recordings(fold, "CAPTURE")
    fold.add_argument("--gaps", action="store_true", help="each gap first, as it opened and as it closed")
    fold.below = (sources, FILES, FOLDED, EXIT_CODES)


def _add_recordings(verb: Verb, files: str) -> None:
    verb.add_argument("provider", metavar="PROVIDER")
    verb.add_argument("files", nargs="+", metavar=files)
    verb.add_argument("--venue", help="the venue where neither the payload nor its address names it")
    verb.add_argument(
        "--symbol", help="only this symbol, as BTCUSDT or BTC-USDT; payloads that name none are taken for its"
    )


def _add_analytics(verbs: argparse._SubParsersAction[Verb]) -> None:
    indicators = _verb(
        verbs, "indicators", "indicator values of a table, offline", "deployments.cli.indicators:indicators"
    )
    _add_table(indicators)
    indicators.add_argument(
        "--spec",
        required=True,
        action="append",
        help="as 'rsi(14)', 'macd(12,26,9).signal' or, of coarser bars, 'sma(50)@1h'; repeatable",
    )
    indicators.add_argument(
        "--session",
        default="00:00",
        help="when vwap begins anew: 00:00 (UTC, the default) or 17:00@America/New_York",
    )
    indicators.add_argument("--splits", metavar="FILE", help="CSV of time,ratio: earlier bars are adjusted")
    anomalies = _verb(
        verbs, "anomalies", "what is unlikely in a table, offline", "deployments.cli.anomalies:anomalies"
    )
    _add_table(anomalies)
    _add_patterns(verbs)


def _add_patterns(verbs: argparse._SubParsersAction[Verb]) -> None:
    patterns = _verb(
        verbs, "patterns", "chart patterns of a table, offline", "deployments.cli.patterns:patterns"
    )
    patterns.description = PATTERNS_HELP
    _add_table(patterns)
    patterns.add_argument(
        "--candles", action="store_true", help="candlestick patterns too (TA-Lib's; several lines per bar)"
    )
    patterns.add_argument(
        "--rough",
        action="store_true",
        help="take figures however far prices stray from straight legs: more of them, and more by chance",
    )
    patterns.add_argument(
        "--pattern",
        action="append",
        metavar="NAME",
        help="only this one, as double_top or cdl_engulfing; repeatable",
    )


def _add_table(verb: Verb) -> None:
    verb.add_argument(
        "--input",
        required=True,
        metavar="FILE",
        help="CSV or Parquet of bars or trades (.gz, .zst, .zip too), or -",
    )
    verb.add_argument("--symbol", help="which one, where the table has a column of symbols")


def _verb(verbs: argparse._SubParsersAction[Verb], name: str, about: str, verb_at: str) -> Verb:
    # Options in full: `up` starts itself again without some of them, and a new one must break no script.
    parser = verbs.add_parser(
        name, help=about, description=about[0].upper() + about[1:] + ".", allow_abbrev=False
    )
    parser.add_argument("--data-dir", help="which instance (default: the settings' or the platform's place)")
    parser.add_argument("--config", help="settings file (default: ./financehub.toml where it exists)")
    parser.set_defaults(verb_at=verb_at)
    return parser


if __name__ == "__main__":
    sys.exit(main())
