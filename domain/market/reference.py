"""Facts about companies, economies and news, as a provider reported them: frozen, one struct per kind.

The first four fields are those of every observation: `provider`, `instrument`, `ts_event` (the provider's
own time of the fact) and `ts_recv` (ours), both ns UTC. Calendar days are ISO text (`2026-03-31`): they are
days of a place, not instants. Money is in `currency` and in whole units (never thousands or millions). None
means that the provider does not say; a 0 was reported. New fields come last and have defaults.
"""

from __future__ import annotations

from typing import ClassVar, Literal

from msgspec import Struct


class Macro(Struct, frozen=True, gc=False):
    """One value of a series (`DGS10.FRED`). `ts_event`: the start of its period; `value` None where missing.

    `realtime_start`, `realtime_end`: the days between which this was the value in force (its vintage).
    """

    kind: ClassVar[str] = "macro"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    series: str
    value: float | None
    realtime_start: str | None = None
    realtime_end: str | None = None
    unit: str | None = None
    title: str | None = None


class Filing(Struct, frozen=True, gc=False):
    """One document at a regulator. `period`: the day that it reports on; `filed_at`: accepted at, ns UTC.

    A document by itself says neither its accession number nor when it was filed: its list and its address do.
    """

    kind: ClassVar[str] = "filing"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    form: str | None
    accession: str | None
    filed_at: int | None
    period: str | None = None
    title: str | None = None
    url: str | None = None
    filer: str | None = None
    items: tuple[str, ...] = ()
    filed_on: str | None = None
    """The regulator's day of filing: after the close of business it is the next one."""
    cik: str | None = None


class OwnershipChange(Struct, frozen=True, gc=False):
    """One line of a report: `code` is the regulator's (Form 4: P bought, S sold ...), `shares` are signed
    (negative: disposed of), `price` per share."""

    date: str
    code: str
    shares: float
    price: float | None = None
    security: str | None = None
    owned_after: float | None = None
    derivative: bool = False
    """An option, a unit: `shares` counts these, not what they stand for."""


class OwnershipHolding(Struct, frozen=True, gc=False):
    """What is owned, without a change of it. `shares` in shares, or in units of principal."""

    security: str | None
    shares: float
    derivative: bool = False
    nature: str | None = None
    """`direct`, `indirect`; of a manager's list `SH` shares or `PRN` principal."""


class Ownership(Struct, frozen=True, gc=False):
    """What an insider or a large holder reported. `relation`: `director`, `officer: CEO`, `10% owner` ...

    A report that several people sign is one, so that no change is counted twice.
    """

    kind: ClassVar[str] = "ownership"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    owner: str | None
    relation: str | None
    transactions: tuple[OwnershipChange, ...]
    accession: str | None = None
    currency: str | None = None
    form: str | None = None
    period: str | None = None
    holdings: tuple[OwnershipHolding, ...] = ()
    planned: tuple[OwnershipChange, ...] = ()
    """Announced, not yet done (form 144)."""
    joint_owners: tuple[str, ...] = ()
    """Who signed beside `owner`."""


class NewsItem(Struct, frozen=True, gc=False):
    """One item of a source's stream. `symbols`: ids or, where none fits, the provider's own symbols.

    `sentiment`: a score in [-1, 1] by `sentiment_method`, None where that is the provider's own.
    """

    kind: ClassVar[str] = "news"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    id: str
    title: str | None
    summary: str | None = None
    url: str | None = None
    source: str | None = None
    published_at: int | None = None
    symbols: tuple[str, ...] = ()
    sentiment: float | None = None
    sentiment_method: str | None = None


class Sentiment(Struct, frozen=True, gc=False):
    """What one message thinks, without its text or author. `score` in [-1, 1], by `method`.

    `label`: the author's own tag. `text_hash`: keyed, so that nobody can look a text up by guessing it.
    """

    kind: ClassVar[str] = "sentiment"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    id: str
    label: Literal["bullish", "bearish"] | None
    score: float | None
    method: str
    text_hash: str | None = None
    url: str | None = None


class Profile(Struct, frozen=True, gc=False):
    """What a company or a coin is. `market_cap` is in `currency`."""

    kind: ClassVar[str] = "profile"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    name: str | None
    symbol: str | None = None
    exchange: str | None = None
    currency: str | None = None
    country: str | None = None
    sector: str | None = None
    industry: str | None = None
    market_cap: float | None = None
    market_cap_usd: float | None = None
    shares_outstanding: float | None = None
    employees: int | None = None
    listed_on: str | None = None
    website: str | None = None
    description: str | None = None
    identifiers: dict[str, str] = {}
    """Such as `cik`, `isin`, `figi`, `coingecko` -> the identifier."""
    peers: tuple[str, ...] = ()
    """Whom the provider compares it with, by their symbols there."""


class Statement(Struct, frozen=True, gc=False):
    """One statement of one period. `values`: the provider's line -> amount in `currency`, None where missing.

    `period`: `annual`, `quarterly`, `half_year`, `nine_months`, `ttm`, `instant`, `other`; `period_end`: the
    last day that it covers. `fiscal_year` and `fiscal_period` are those of the report, which may repeat older
    periods for comparison.
    """

    kind: ClassVar[str] = "statement"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    statement: Literal["income", "balance", "cash_flow", "facts"]
    period: str
    period_end: str
    currency: str | None
    values: dict[str, float | None]
    fiscal_year: int | None = None
    fiscal_period: str | None = None
    filed_on: str | None = None
    accession: str | None = None
    period_start: str | None = None


class Metric(Struct, frozen=True, gc=False):
    """One ratio or figure of a company (`peNormalizedAnnual`), as the provider names it.

    `period`: `annual`, `quarterly`, `ttm`, or None where it is of now.
    """

    kind: ClassVar[str] = "metric"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    name: str
    value: float | None
    period: str | None = None
    period_end: str | None = None
    currency: str | None = None
    unit: str | None = None


class Earnings(Struct, frozen=True, gc=False):
    """One report of a period's earnings per share; `surprise_pct` in percent (5.0 means 5 %)."""

    kind: ClassVar[str] = "earnings"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    period: str
    period_end: str | None
    currency: str | None
    eps_actual: float | None
    eps_estimate: float | None = None
    surprise: float | None = None
    surprise_pct: float | None = None
    revenue_actual: float | None = None
    revenue_estimate: float | None = None
    reported_on: str | None = None
    fiscal_year: int | None = None
    fiscal_period: str | None = None


class Dividend(Struct, frozen=True, gc=False):
    """`amount` of `currency` per share for who holds it before `ex_date`, whose start is `ts_event`."""

    kind: ClassVar[str] = "dividend"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    ex_date: str
    amount: float
    currency: str | None
    pay_date: str | None = None
    record_date: str | None = None
    declared_on: str | None = None
    frequency: int | None = None
    """Payments a year; 0 for a single one."""
    dividend_type: str | None = None


class Recommendation(Struct, frozen=True, gc=False):
    """How many analysts recommend what, in one period."""

    kind: ClassVar[str] = "recommendation"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    period: str
    strong_buy: int | None
    buy: int | None
    hold: int | None
    sell: int | None
    strong_sell: int | None


class MarketFigure(Struct, frozen=True, gc=False):
    """One figure of a whole market (`total_market_cap`), in `unit`: a currency, `percent` or `count`."""

    kind: ClassVar[str] = "market_figure"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    name: str
    value: float | None
    unit: str | None = None


class Trending(Struct, frozen=True, gc=False):
    """A place in a provider's list of what people look at; `rank` from 1."""

    kind: ClassVar[str] = "trending"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    rank: int
    list: str
    symbol: str | None = None
    name: str | None = None
    score: float | None = None


class CalendarEvent(Struct, frozen=True, gc=False):
    """What is planned for a day or an instant: a holiday, an early closing, a listing, a report.

    `event`: `holiday`, `early_close`, `ipo`, `earnings`, `status` ...; `opens` and `closes` are ns UTC.
    """

    kind: ClassVar[str] = "calendar"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    event: str
    date: str | None
    name: str | None = None
    exchange: str | None = None
    status: str | None = None
    opens: int | None = None
    closes: int | None = None
    details: dict[str, str] = {}


class OptionQuote(Struct, frozen=True, gc=False):
    """One option contract (`instrument` is its OCC symbol at `OPRA`), with its prices where they were given.

    `implied_volatility` as a ratio (0.25 means 25 %).
    """

    kind: ClassVar[str] = "option"
    provider: str
    instrument: str
    ts_event: int
    ts_recv: int
    underlying: str
    expiry: str
    strike: float
    right: Literal["call", "put"]
    style: str | None = None
    shares_per_contract: float | None = None
    bid: float | None = None
    bid_size: float | None = None
    ask: float | None = None
    ask_size: float | None = None
    last: float | None = None
    volume: float | None = None
    open_interest: float | None = None
    implied_volatility: float | None = None
    delta: float | None = None
    gamma: float | None = None
    theta: float | None = None
    vega: float | None = None
    currency: str | None = None


ReferenceFact = (
    Macro
    | Filing
    | Ownership
    | NewsItem
    | Sentiment
    | Profile
    | Statement
    | Metric
    | Earnings
    | Dividend
    | Recommendation
    | MarketFigure
    | Trending
    | CalendarEvent
    | OptionQuote
)
