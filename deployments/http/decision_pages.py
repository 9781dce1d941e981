"""What the keepers found in one instrument, one kind of decision, as recorded, in pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from actors.answers import MAX_EVENTS
from deployments.http.parameters import DEFAULT_LIMIT, MAX_LIMIT, page_token, read_page, span, within
from deployments.http.problems import BadParameter
from deployments.http.serving import Serving
from domain.clock import MAX_NS, NS_PER_MIN
from domain.envelope import Recorded

DEFAULT_SPAN_NS = 24 * 60 * NS_PER_MIN
"""Without `from`: the last day."""
SCANNED = MAX_EVENTS
"""Decisions looked at per answer where a filter leaves most of them out."""


class DecisionPage:
    """A page of one kind of decision."""

    def __init__(
        self,
        here: Serving,
        instrument: str,
        from_: str | None,
        to: str | None,
        limit: int | None,
        page: str | None,
        after: str | None,
    ) -> None:
        """Raises BadParameter."""
        now = here.now_ns()
        start, end = span(from_, to, now)
        self._here = here
        self._instrument = instrument
        self._after = after
        self._limit = within("limit", limit, DEFAULT_LIMIT, MAX_LIMIT)
        self._end = MAX_NS if end is None else end
        self._start = max(0, min(now, self._end) - DEFAULT_SPAN_NS) if start is None else start
        self._offset = 0
        if page is not None:
            self._start, self._offset = _place(page)

    async def decisions(
        self, kind: type[Any], wanted: Callable[[Any], bool] | None
    ) -> tuple[Sequence[Recorded], str | None, str]:
        """(items, next page, cursor). `wanted` None: all of them.

        An answer to a filter may hold fewer than `limit` and still have a next page.
        """
        most = SCANNED if wanted is not None else self._limit + 1
        await self._here.wait_for(self._after)
        name = await self._here.index.resolve(self._instrument)
        seen, cursor = await self._here.directory.decisions(
            name, [kind.kind], self._start, self._end, most, self._offset
        )
        found = [each for each in seen if wanted is None or wanted(each.event)]
        last = found[self._limit - 1] if len(found) > self._limit else None
        if last is None and len(seen) == most:
            last = seen[-1]
        rest = None if last is None else page_token("signals", f"{last.event.ts_event}-{last.offset}")
        return found[: self._limit], rest, cursor.encode()


def _place(page: str) -> tuple[int, int]:
    """(ts_event, offset) of the last item of the page before. Raises BadParameter."""
    ts, _, offset = read_page("signals", page).partition("-")
    if not (ts.isdecimal() and offset.isdecimal() and len(ts) < 20 and len(offset) < 20):
        raise BadParameter("page is none of this list's `next_page`", "page")
    return int(ts), int(offset)
