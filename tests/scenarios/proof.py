"""What must hold after any recovery: the log is whole, and the client has exactly what is in it."""

from __future__ import annotations

import itertools
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from domain.envelope import parse_cursor
from tests.scenarios.follower import Follower
from tests.scenarios.instance import Instance

Event = dict[str, Any]


def nothing_lost_or_doubled(instance: Instance, client: Follower, since: str) -> list[Event]:
    """Compare all that came after a cursor with the log; returns the log's events."""
    after = parse_cursor(since).offsets
    events = instance.tail(since)
    ends = offsets_are_dense(events, after)
    client.wait_for({partition: end for partition, end in ends.items() if partition.startswith("market/")})
    assert client.faults == [], client.faults[:5]
    for kind, got, told in (("trade", client.trades, "trade_id"), ("bar_closed", client.bars, "ts_event")):
        logged = {
            (event["instrument"], event["offset"]): event[told]
            for event in events
            if event["kind"] == kind and event.get("interval", "1s") == "1s"
        }
        where = {event["instrument"]: event["partition"] for event in events if event["kind"] == kind}
        seen = {
            place: value
            for place, value in got.copy().items()
            if place[0] in where and after.get(where[place[0]], 0) < place[1] <= ends[where[place[0]]]
        }
        assert logged, f"no {kind} was logged: the scenario proves nothing"
        assert seen == logged, _difference(kind, seen, logged)
    trade_ids_are_dense(events)
    return events


def offsets_are_dense(events: Iterable[Event], after: Mapping[str, int]) -> dict[str, int]:
    """Every offset once, in order, from `after` on; returns partition -> last offset."""
    ends: dict[str, int] = {}
    for event in events:
        partition = event["partition"]
        expected = ends.get(partition, after.get(partition))
        if expected is not None:
            assert event["offset"] == expected + 1, f"{partition}: {event['offset']} after {expected}"
        ends[partition] = event["offset"]
    return ends


def trade_ids_are_dense(events: Iterable[Event]) -> None:
    """The simulator counts its trades: a jump is a new incarnation, and no id comes twice."""
    ids: dict[str, list[int]] = defaultdict(list)
    incarnations = 0
    for event in events:
        if event["kind"] == "trade":
            ids[event["instrument"]].append(int(event["trade_id"]))
        incarnations += event["kind"] == "feed_started"
    for instrument, found in ids.items():
        jumps = [(a, b) for a, b in itertools.pairwise(found) if b != a + 1]
        assert all(b > a for a, b in jumps), f"{instrument}: trades came twice: {jumps[:3]}"
        assert len(jumps) <= incarnations, f"{instrument}: trades are missing: {jumps[:3]}"


def books_equal_the_log(events: Iterable[Event], client: Follower, depth: int = 10) -> None:
    """Each book as the client built it, against one built from every book event of the log."""
    from tests.scenarios.follower import Book

    books: dict[str, Book] = defaultdict(Book)
    for event in events:
        if event["kind"] in ("book_snapshot", "book_delta"):
            mine = client.books.get(event["instrument"])
            if mine is not None and event["offset"] <= mine.offset:
                books[event["instrument"]].take(event["kind"], event["bids"], event["asks"], event["offset"])
    assert set(books) == set(client.books)
    for instrument, book in books.items():
        assert client.books[instrument].top(depth) == book.top(depth), instrument


def _difference(kind: str, seen: Mapping[Any, Any], logged: Mapping[Any, Any]) -> str:
    missing = sorted(logged.keys() - seen.keys())
    extra = sorted(seen.keys() - logged.keys())
    return f"{kind}: {len(missing)} missing {missing[:3]}, {len(extra)} not in the log {extra[:3]}"


def report(name: str, seconds: Iterable[float]) -> None:
    """One line for whoever reads the test run with -s."""
    print(json.dumps({"scenario": name, "recovery_s": [round(each, 2) for each in seconds]}))
