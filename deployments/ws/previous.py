"""The last offset of a chain at or before a place in the log: what a resumed chain links back to."""

from __future__ import annotations

from collections.abc import Iterable

from actors.directory import Directory
from deployments.ws.channels import KINDS, Key, targets
from domain.envelope import Recorded
from domain.errors import Rejected

FIRST_WINDOW = 2_000
"""Offsets before the cursor that are read at once for all chains."""
WINDOW_GROWTH = 8
PAGE = 5_000
MAX_SEARCHED_APART = 200
"""Chains silent in the first window that are searched one by one; the rest begin with null."""


async def previous_offsets(
    directory: Directory, partition: str, keys: Iterable[Key], until: int
) -> dict[Key, int]:
    """Chain -> offset of its last event at or before `until`; absent where there is none."""
    wanted = set(keys)
    found: dict[Key, int] = {}
    if until <= 0 or not wanted:
        return found
    start = max(0, until - FIRST_WINDOW)
    for recorded in await _window(directory, partition, start, until):
        for key in _keys(recorded):
            if key in wanted:
                found[key] = recorded.offset
    for key in sorted(wanted - found.keys())[:MAX_SEARCHED_APART]:
        offset = await _search(directory, key, start)
        if offset is not None:
            found[key] = offset
    return found


async def _window(directory: Directory, partition: str, start: int, until: int) -> list[Recorded]:
    events: list[Recorded] = []
    at = start
    while at < until:
        try:
            page = await directory.read_log(partition, at, until=until, limit=PAGE)
        except Rejected:
            return events  # below the retained log
        if not page:
            break
        events += page
        at = page[-1].offset
    return events


async def _search(directory: Directory, key: Key, until: int) -> int | None:
    """Windows before `until`, each larger than the one after it."""
    width = FIRST_WINDOW * WINDOW_GROWTH
    while until > 0:
        start = max(0, until - width)
        try:
            last = await _last_in(directory, key, start, until)
        except Rejected:
            return None
        if last is not None or start == 0:
            return last
        until, width = start, width * WINDOW_GROWTH
    return None


async def _last_in(directory: Directory, key: Key, start: int, until: int) -> int | None:
    last: int | None = None
    while True:
        page = await directory.events(key.instrument, KINDS[key.channel], start, until, PAGE)
        for recorded in page:
            if key in _keys(recorded):
                last = recorded.offset
        if len(page) < PAGE:
            return last
        start = page[-1].offset


def _keys(recorded: Recorded) -> list[Key]:
    event = recorded.event
    instrument = getattr(event, "instrument", "")
    return [
        Key(target.channel, instrument, target.variant) for target in targets(event) if target.form == "frame"
    ]
