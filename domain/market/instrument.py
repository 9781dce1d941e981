"""Names of instruments as people write them, and what an id alone says about one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from typing import Literal

from domain.errors import Ambiguous, NotFound
from domain.ids import InstrumentId, symbol_of, venue_of
from domain.market.observations import InstrumentInfo
from domain.market.reference_ids import is_reference, reference_of

MAX_SUGGESTIONS = 5
MAX_CANDIDATES = 20
MAX_TEXT_LENGTH = 80

AssetClass = Literal["crypto", "equity", "fx", "future", "option", "index", "macro", "news"]

_CLASS_OF_VENUE: dict[str, AssetClass] = {
    "FX": "fx",
    "INDEX": "index",
    "FRED": "macro",
    "NEWS": "news",
    "OPRA": "option",
    "US": "equity",
    "BINANCE_USDM": "future",
    "BINANCE_COINM": "future",
}


def resolve(text: str, infos: Collection[InstrumentInfo], *, shared: bool = False) -> InstrumentId:
    """An id, or any name that fits exactly one instrument, in any case.

    Names are the symbol without its venue, the base (`BTC`), the venue's own symbol and the aliases.
    `shared`: see `meant`. Raises Ambiguous with the candidates, or NotFound with near names.
    """
    wanted = _plain(text)
    fitting: dict[str, InstrumentInfo] = {}
    for info in infos:
        if _plain(info.instrument) == wanted:
            return InstrumentId(info.instrument)
        if any(_plain(name) == wanted for name in names(info)):
            fitting[info.instrument] = info
    candidates = meant(fitting.values(), shared=shared)
    if len(candidates) == 1:
        return InstrumentId(candidates[0])
    if candidates:
        listed = ", ".join(candidates[:MAX_CANDIDATES])
        raise Ambiguous(f"{_shown(text)} fits {len(candidates)} instruments: {listed}", candidates)
    raise NotFound(f"no instrument {_shown(text)}{_hint(near(text, infos))}")


def meant(fitting: Collection[InstrumentInfo], *, shared: bool) -> tuple[str, ...]:
    """Of the instruments that a name fits those that it may mean, by id; one is the answer.

    A reference instrument beside what is traded changes nothing: a name that fits one traded instrument
    is that one. `shared` says that the question can be answered by a reference (its last price, not its
    trades): then, where several fit and all of them meet in one reference, it is the answer.
    """
    traded = [info for info in fitting if not is_reference(info.instrument)]
    references = sorted(info.instrument for info in fitting if is_reference(info.instrument))
    if not traded:
        return tuple(references)
    met = {reference_of(info.instrument, info) for info in traded}
    if shared and len(traded) > 1 and len(references) == 1 and met == set(references):
        return tuple(references)
    return tuple(sorted(info.instrument for info in traded))


def names(info: InstrumentInfo) -> Iterator[str]:
    """Every name an instrument goes by, apart from its id."""
    yield symbol_of(info.instrument)
    yield info.venue_symbol
    if info.base:
        yield info.base
    yield from info.aliases


def near(text: str, infos: Iterable[InstrumentInfo]) -> tuple[str, ...]:
    """Up to five ids whose names resemble a text, the most alike first."""
    wanted = _plain(text)
    ids: dict[str, set[str]] = {}
    for info in infos:
        for name in (info.instrument, *names(info)):
            plain = _plain(name)
            if plain[:1] == wanted[:1] or wanted in plain:
                ids.setdefault(plain, set()).add(info.instrument)
    starting = sorted(name for name in ids if wanted and name.startswith(wanted))
    alike = starting or get_close_matches(wanted, ids, n=MAX_SUGGESTIONS)
    found = [instrument for name in alike for instrument in sorted(ids[name])]
    return tuple(dict.fromkeys(found))[:MAX_SUGGESTIONS]


def base_of(instrument: str) -> str | None:
    """`BTC-USD.COINBASE` -> `BTC`; None where the symbol is no pair."""
    base, dash, _ = symbol_of(instrument).rpartition("-")
    return base if dash else None


def quote_currency(instrument: str, info: InstrumentInfo | None) -> str | None:
    """The currency that prices are in: as described, else the second half of the pair, else None."""
    if info is not None and info.quote:
        return info.quote
    _, dash, quote = symbol_of(instrument).rpartition("-")
    return quote if dash else None


def described(instrument: str, provider: str, ts: int) -> InstrumentInfo:
    """What the id alone says, for an instrument that no provider has described yet."""
    return InstrumentInfo(
        provider=provider,
        instrument=instrument,
        ts_event=ts,
        ts_recv=ts,
        venue_symbol=symbol_of(instrument),
        base=base_of(instrument),
        quote=quote_currency(instrument, None),
        asset_class=asset_class_of(venue_of(instrument)),
    )


def asset_class_of(venue: str) -> AssetClass:
    """By venue; ISO 10383 codes of exchanges are the four-letter ones that begin with X, and ARCX."""
    known = _CLASS_OF_VENUE.get(venue)
    if known is not None:
        return known
    exchange = len(venue) == 4 and (venue.startswith("X") or venue in ("ARCX", "IEXG", "BATS", "EDGX"))
    return "equity" if exchange else "crypto"


def _plain(text: str) -> str:
    return text.strip().upper().replace("/", "-")


def _shown(text: str) -> str:
    return repr(text[:MAX_TEXT_LENGTH])


def _hint(suggestions: tuple[str, ...]) -> str:
    return f"; near: {', '.join(suggestions)}" if suggestions else ""
