"""The newest quote, ticker, FX rate and provider bars of one instrument."""

from __future__ import annotations

from msgspec import Struct

from domain.market.observations import Bar, FxRate, Quote, Ticker
from domain.market.sources import Patience

MAX_PROVIDER_BARS = 16
"""Intervals for which a provider's bar is kept."""


class LatestState(Struct, frozen=True, array_like=True):
    quote: Quote | None
    quote_ts: int
    ticker: Ticker | None
    ticker_ts: int
    fx: FxRate | None
    bars: tuple[Bar, ...]


class Latest:
    """Newest by event time, among equals the last to arrive; an older one changes nothing.

    Quotes and tickers each have one source of record: see `sources`. Those of other providers are facts
    of the log, and not what is shown.
    `bars`: interval -> the newest bar that a provider built, closed or not.
    """

    __slots__ = ("_patience", "_quote_ts", "_ticker_ts", "bars", "fx", "quote", "ticker")

    def __init__(self, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self.quote: Quote | None = None
        self.ticker: Ticker | None = None
        self.fx: FxRate | None = None
        self.bars: dict[str, Bar] = {}
        self._quote_ts = self._ticker_ts = 0

    def fold_quote(self, quote: Quote, ts: int) -> bool:
        """False for one that is not of the source of record: it changes nothing.

        `ts`: its event time, clamped to the feed clock; so for the ticker.
        """
        known = self.quote
        if known is not None and quote.provider != known.provider:
            if not self._patience.is_over("quote", ts, self._quote_ts):
                return False
            self._patience.changed("quote")
        if ts >= self._quote_ts:
            self._quote_ts = ts
            self.quote = quote
        return True

    def fold_ticker(self, ticker: Ticker, ts: int) -> bool:
        """As `fold_quote`."""
        known = self.ticker
        if known is not None and ticker.provider != known.provider:
            if not self._patience.is_over("ticker", ts, self._ticker_ts):
                return False
            self._patience.changed("ticker")
        if ts >= self._ticker_ts:
            self._ticker_ts = ts
            self.ticker = ticker
        return True

    def source_of(self, event: object) -> str:
        """The provider of record of a quote or ticker; "" before the first, and of any other kind."""
        known: Quote | Ticker | None = None
        if isinstance(event, Quote):
            known = self.quote
        elif isinstance(event, Ticker):
            known = self.ticker
        return "" if known is None else known.provider

    def fold_fx(self, rate: FxRate, clock: int) -> None:
        """A rate or bar may be dated ahead of the feed's clock; it then holds up none that comes after it."""
        if self.fx is None or rate.ts_event >= self.fx.ts_event or self.fx.ts_event > clock:
            self.fx = rate

    def fold_bar(self, bar: Bar, clock: int) -> None:
        kept = self.bars.get(bar.interval)
        if kept is None and len(self.bars) >= MAX_PROVIDER_BARS:
            return
        if kept is None or bar.ts_event >= kept.ts_event or kept.ts_event > clock:
            self.bars[bar.interval] = bar

    def newest_ts(self) -> int:
        """Of the quote and the ticker, as the fold took their times; 0 before the first."""
        return max(self._quote_ts, self._ticker_ts)

    def set_back(self, now: int) -> None:
        """Times beyond `now` were of a wrong clock: whatever comes next is newer."""
        self._quote_ts = min(self._quote_ts, now)
        self._ticker_ts = min(self._ticker_ts, now)

    def newest(self) -> Quote | Ticker | FxRate | Bar | None:
        """Whichever of all these was last by event time."""
        kept = (self.quote, self.ticker, self.fx, *self.bars.values())
        return max((fact for fact in kept if fact is not None), key=lambda fact: fact.ts_event, default=None)

    def snapshot(self) -> LatestState:
        bars = tuple(bar for _, bar in sorted(self.bars.items()))
        return LatestState(self.quote, self._quote_ts, self.ticker, self._ticker_ts, self.fx, bars)

    @classmethod
    def restored(cls, state: LatestState, patience: Patience | None = None) -> Latest:
        latest = cls(patience)
        latest.quote, latest._quote_ts = state.quote, state.quote_ts
        latest.ticker, latest._ticker_ts = state.ticker, state.ticker_ts
        latest.fx = state.fx
        latest.bars = {bar.interval: bar for bar in state.bars}
        return latest
