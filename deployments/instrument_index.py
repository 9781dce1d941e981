"""What a caller may call an instrument: its id, or an alias that fits exactly one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from actors.directory import Directory
from domain.envelope import Cursor
from domain.errors import Ambiguous, Malformed, NotFound
from domain.ids import MAX_ID_LENGTH
from domain.market.instrument import MAX_CANDIDATES, meant, names, near
from domain.market.observations import InstrumentInfo

FRESH_S = 1.0
"""The list is asked for again when it is older and something new is wanted."""


class InstrumentIndex:
    """A short-lived copy of the directory's instruments, shared by HTTP and sockets of one process."""

    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._infos: dict[str, InstrumentInfo] = {}
        self._by_alias: dict[str, set[str]] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._included = Cursor({})

    async def include(self, reached: Cursor) -> None:
        """What was seen up to a place that the log has reached is known from now on. Raises Unavailable."""
        async with self._reading:
            new = {
                name: offset for name, offset in reached.offsets.items() if offset > self._included.at(name)
            }
            if new:
                await self._read(fresh=True)
                self._included = self._included.merged(new)

    async def all(self) -> Sequence[InstrumentInfo]:
        """By id; at most about 3 s old."""
        await self._refresh()
        return list(self._infos.values())

    def known(self, text: str, *, shared: bool = False) -> str:
        """As `resolve`, from what was read last; the text itself where nothing or too much fits."""
        found = self._meant(_normal(text), shared=shared)
        return found[0] if text not in self._infos and len(found) == 1 else text

    async def info(self, instrument: str) -> InstrumentInfo:
        """Raises NotFound."""
        if instrument not in self._infos:
            await self._refresh()
        if instrument not in self._infos:
            raise NotFound(f"no instrument {instrument!r} has been seen")
        return self._infos[instrument]

    async def resolve(self, text: str, *, suggest: bool = True, shared: bool = False) -> str:
        """An id or an alias -> id. Raises Malformed, NotFound, or Ambiguous with the candidates.

        `shared`: a reference instrument can answer what is asked, see `domain.market.instrument.meant`.
        `suggest` adds near names to NotFound, which costs a search over all instruments.
        """
        if not text or len(text) > MAX_ID_LENGTH:
            raise Malformed(f"instrument {text[:80]!r} has no 1 to {MAX_ID_LENGTH} characters")
        plain = _normal(text)
        if plain not in self._infos:
            await self._refresh()
        if plain in self._infos:
            return plain
        found = self._meant(plain, shared=shared)
        if len(found) == 1:
            return found[0]
        if found:
            raise Ambiguous(f"{text!r} fits {len(found)} instruments", found[:MAX_CANDIDATES])
        alike = near(text, self._infos.values()) if suggest else ()
        hint = f"; near: {', '.join(alike)}" if alike else ""
        raise NotFound(f"no instrument {text!r} has been seen{hint}")

    def _meant(self, plain: str, *, shared: bool) -> tuple[str, ...]:
        return meant([self._infos[each] for each in self._by_alias.get(plain, ())], shared=shared)

    async def _refresh(self) -> None:
        async with self._reading:
            if time.monotonic() - self._read_at >= FRESH_S:
                await self._read(fresh=False)

    async def _read(self, *, fresh: bool) -> None:
        infos = await self._directory.instruments(fresh=fresh)
        self._infos = {info.instrument: info for info in infos}
        self._by_alias = _aliases(infos)
        self._read_at = time.monotonic()


def _aliases(infos: Sequence[InstrumentInfo]) -> dict[str, set[str]]:
    """Every name in its plain form -> ids; the same rule as `domain.market.instrument.resolve`."""
    index: dict[str, set[str]] = {}
    for info in infos:
        for name in (info.instrument, *names(info)):
            index.setdefault(_normal(name), set()).add(info.instrument)
    return index


def _normal(name: str) -> str:
    return name.strip().upper().replace("/", "-")
