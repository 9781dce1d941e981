"""No payload makes a parser raise: recordings with a field, a value, a type or an end that is wrong."""

from __future__ import annotations

import copy
import json
import random
from pathlib import Path
from typing import Any

import pytest

from actors.feeds.base import Origin, Parsed
from actors.feeds.registry import PARSERS, load_parser
from tests.parsed import RECV, manifest

FOLDERS = {"massive": "polygon"}
"""Recordings lie under a provider's former name."""
UNRECORDED = {"alpaca", "ecb", "frankfurter", "hyperliquid", "us_treasury"}
"""Bodies of these are mutated where they are written down: `tests/properties/test_parsed_bodies.py`."""
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**30, -(10**30), 1e308, "", " ", "None", ".", "-", "abc", "NaN", "1e999", "９",
    "2020-13-45", "0001-01-01", "9999-12-31", [], {}, [[]], [None], {"a": None}, "x" * 500, "\x00", "\ud800",
)  # fmt: skip
MUTATIONS = 60
MAX_BYTES = 60_000
"""Larger recordings are cut to it, which is a mutation of its own."""


SAMPLE: tuple[Any, ...] = ({"data": [{"symbol": "A", "price": "1"}], "status": "ok"},)
SAMPLES: dict[str, tuple[Any, ...]] = {
    "alpaca": (
        [
            {
                "T": "t",
                "i": 1,
                "S": "AAPL",
                "x": "V",
                "p": 126.55,
                "s": 1,
                "t": "2021-02-22T15:51:44Z",
                "c": ["@"],
            },
            {"T": "q", "S": "AMD", "bp": 87.66, "bs": 1, "ap": 87.68, "as": 4, "t": "2021-02-22T15:51:44Z"},
            {
                "T": "b",
                "S": "SPY",
                "o": 1,
                "h": 2,
                "l": 1,
                "c": 2,
                "v": 3,
                "n": 4,
                "t": "2021-02-22T19:15:00Z",
            },
            {
                "T": "o",
                "S": "BTC/USD",
                "t": "2021-02-22T19:15:00Z",
                "b": [{"p": 1, "s": 2}],
                "a": [],
                "r": True,
            },
            {"T": "error", "code": 406, "msg": "connection limit exceeded"},
        ],
        {"bars": {"AAPL": [{"t": "2021-02-22T19:15:00Z", "o": 1, "h": 2, "l": 1, "c": 2, "v": 3}]}},
    ),
    "massive": (
        [
            {"ev": "Q", "sym": "MSFT", "bp": 1, "bs": 100, "ap": 2, "as": 160, "t": 1536036818784},
            {"ev": "AM", "sym": "GTE", "v": 4110, "o": 1, "c": 1, "h": 1, "l": 1, "s": 1610144640000},
            {"ev": "XL2", "pair": "BTC-USD", "t": 1610462411115, "b": [[1, 2]], "a": [[3, 4]]},
            {"ev": "FMV", "fmv": 189.22, "sym": "AAPL", "t": 1678220098130},
        ],
    ),
}
"""Documented messages where there is no recording."""


def mutated(value: Any, chance: random.Random) -> Any:
    """The value with one thing inside it replaced, removed, doubled or renamed."""
    inside: list[tuple[Any, Any]] = []
    pending = [value]
    while pending and len(inside) < 400:
        each = pending.pop()
        keys = (
            list(each)
            if isinstance(each, dict)
            else range(min(len(each), 20))
            if isinstance(each, list)
            else ()
        )
        for key in keys:
            inside.append((each, key))
            pending.append(each[key])
    if not inside:
        return copy.deepcopy(chance.choice(ODD))
    holder, key = chance.choice(inside)
    if isinstance(holder, dict) and chance.random() < 0.3:
        moved = holder.pop(key)
        if chance.random() < 0.5:
            holder[f"{key}x"] = moved
    else:
        holder[key] = copy.deepcopy(chance.choice(ODD))
    return value


def payloads(folder: Path) -> list[Path]:
    return [
        path
        for path in sorted(folder.rglob("*"))
        if path.suffix in {".json", ".jsonl", ".txt", ".xml", ".csv"}
    ]


def check(parsed: Parsed) -> None:
    for reject in parsed.rejects:
        assert reject.reason.strip() and len(reject.reason) <= 1_000
    for each in (*parsed.observations, *parsed.facts):
        assert "." in each.instrument and isinstance(each.ts_event, int) and each.ts_recv == RECV


@pytest.mark.parametrize("provider", sorted(set(PARSERS) - UNRECORDED))
def test_no_mutation_of_a_recording_makes_the_parser_raise(shared_data: Path, provider: str) -> None:
    folder = shared_data / FOLDERS.get(provider, provider)
    chance = random.Random(provider)
    parser = load_parser(provider)
    for path in payloads(folder):
        known = manifest(shared_data).get(str(path.relative_to(shared_data)), {})
        origins = [
            Origin("file", RECV, path.name, symbol="X"),
            Origin("http", RECV, known.get("url") or "/x", status=200),
        ]
        for origin in origins:
            for body in bodies(path):
                _mutate_one(parser, body, origin, chance)
    for sample in SAMPLES.get(provider, SAMPLE):
        _mutate_one(parser, json.dumps(sample).encode(), Origin("ws", RECV, ""), chance)
        _mutate_one(parser, json.dumps(sample).encode(), Origin("http", RECV, "/x", status=200), chance)


def bodies(path: Path) -> list[bytes]:
    """A file's payload; of one with several the first few."""
    text = path.read_bytes()
    return text.splitlines()[:5] if path.suffix == ".jsonl" else [text]


def _mutate_one(parser: Any, body: bytes, origin: Origin, chance: random.Random) -> None:
    check(parser.parse(body[:MAX_BYTES], origin))
    for _ in range(4):
        check(parser.parse(body[: chance.randrange(max(1, min(len(body), MAX_BYTES)))], origin))
    try:
        json.loads(body)
    except ValueError:
        return
    for _ in range(MUTATIONS if len(body) < MAX_BYTES else 2):
        changed = mutated(json.loads(body), chance)
        if chance.random() < 0.5:
            changed = mutated(changed, chance)
        check(parser.parse(json.dumps(changed).encode(errors="surrogatepass"), origin))


@pytest.mark.parametrize("provider", sorted(PARSERS))
@pytest.mark.parametrize("status", [None, 200, 403, 503])
def test_no_nonsense_makes_the_parser_raise(provider: str, status: int | None) -> None:
    parser = load_parser(provider)
    bodies = [
        b"",
        b"\x00\xff",
        b"[" * 10_000,
        b'{"a":' * 5_000,
        b"<html>",
        b"NaN",
        b"[NaN]",
        b'"x"',
        b"5",
        b"null",
    ]
    bodies += [json.dumps(each).encode(errors="surrogatepass") for each in (*ODD, [*ODD])]
    for body in bodies:
        for source in ("ws", "http", "file"):
            check(parser.parse(body, Origin(source, RECV, "", status=status)))  # type: ignore[arg-type]
            check(
                parser.parse(body.decode(errors="replace"), Origin(source, RECV, "http://[", status=status))
            )  # type: ignore[arg-type]
