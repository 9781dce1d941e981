"""Coinbase Exchange as a sans-I/O session.

    matches ──> trade ids are dense: a hole is a gap, filled from GET /products/{id}/trades
    level2  ──> snapshot, then updates without numbers: only a lost connection shows a loss
    heartbeat > last_trade_id reveals missed trades; silence makes a new connection

On subscription bars are filled from GET /products/{id}/candles. Rests on the documented frames alone.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import msgspec

from actors.backoff import Backoff
from actors.feeds.absent import moment
from actors.feeds.base import (
    KEEPER,
    NOTHING,
    Assumed,
    Effects,
    Endpoint,
    FeedSettings,
    HttpRequest,
    Origin,
    Received,
)
from actors.feeds.carriers import BOOK, QUOTES, TRADES
from actors.feeds.coinbase.hot import take_run
from actors.feeds.coinbase.market import Market
from actors.feeds.coinbase.parse import Reading, class_of, read
from actors.feeds.coinbase.wire import PROVIDER, VENUE, ErrorFrame, Heartbeat, instrument_of
from actors.feeds.line import Instruments, channel_of
from actors.feeds.rest_calls import RestCalls
from actors.feeds.silence import StreamWatch, limits_s
from actors.feeds.trade_ids import Range
from domain.clock import NS_PER_MIN, NS_PER_S, format_time
from domain.ids import symbol_of, venue_of
from domain.market.observations import Bar, BookDelta, BookSnapshot, InstrumentInfo, Observation, Trade

WS_URL = "wss://ws-feed.exchange.coinbase.com"
REST_URL = "https://api.exchange.coinbase.com"
REST_INTERVAL_S = 0.15
"""Public endpoints allow 10 requests a second and address (docs: rate limits)."""
PRODUCTS_PER_CONNECTION = 50
SILENCE_S = 10.0
HEARTBEAT_LIMIT_NS = 10 * NS_PER_S
"""A heartbeat comes every second for each product."""
MAX_HEARTBEAT_LIMIT_NS = 160 * NS_PER_S
SNAPSHOT_LIMIT_NS = 30 * NS_PER_S
MAX_SNAPSHOT_LIMIT_NS = 600 * NS_PER_S
TRADES_PER_PAGE = 1000
MAX_TRADE_PAGES = 100
CANDLES_PER_PAGE = 300
RESUBSCRIBE_BASE_S, RESUBSCRIBE_CAP_S = 1.0, 60.0
_CHANNELS = {"trades": "matches", "quotes": "ticker", "ticker": "ticker", "level2": "level2"}
_INVALID_PRODUCT = re.compile(r"([A-Za-z0-9]+-[A-Za-z0-9]+) is not a valid product")
"""The venue documents error frames without their words: unconfirmed; other words are only a reject."""


class CoinbaseSession:
    """See the module. `settings.channels`: trades, quotes, book, and `level2` for the unbatched book."""

    def __init__(self, settings: FeedSettings, assumed: Assumed = NOTHING) -> None:
        self._assumed = assumed
        self._ws_url = settings.ws_url or WS_URL
        self._rest_url = (settings.rest_url or REST_URL).rstrip("/")
        self._settings = settings
        self._channels = _channels(settings.channels)
        self._calls = RestCalls(REST_INTERVAL_S, f"{PROVIDER}:{settings.seed}")
        self._markets: dict[str, Market] = {}
        self._by_letters: dict[str, Market] = {}
        self._subscribed: set[str] = set()
        self._instruments = Instruments()
        self._watch = StreamWatch()
        self._heartbeat_due: dict[int, int] = {}
        self._heartbeat_limit: dict[int, int] = {}
        self._resubscribe_at: dict[int, int] = {}
        self._resubscribe_backoff = Backoff(RESUBSCRIBE_BASE_S, RESUBSCRIBE_CAP_S, settings.seed)
        for index, instrument in enumerate(dict.fromkeys(settings.instruments)):
            if venue_of(instrument) == VENUE:
                self._subscribed.add(instrument)
                self._instruments.sight(instrument, Effects())
                self._markets[instrument] = _market(instrument, index // PRODUCTS_PER_CONNECTION)

    def endpoints(self) -> Sequence[Endpoint]:
        connections = sorted({self._markets[each].connection for each in self._subscribed})
        return [Endpoint(connection, self._ws_url, SILENCE_S) for connection in connections]

    def on_start(self, now: int) -> Effects:
        effects = Effects()
        if self._subscribed:
            effects.requests.append(self._calls.ask(f"{self._rest_url}/products", "instruments", None, now))
        for instrument in sorted(self._subscribed):
            effects.requests += self._bar_requests(instrument, now)
        return effects

    def on_open(self, connection: int, now: int) -> Effects:
        effects = Effects()
        self._subscribe(connection, now, effects)
        return effects

    def on_frame(self, connection: int, frame: str | bytes, now: int, endpoint: str = "") -> Effects:
        return self.take_frames(connection, ((frame, now),), endpoint)

    def take_frames(self, connection: int, run: Sequence[Received], endpoint: str = "") -> Effects:
        effects, left = Effects(), iter(run)
        while odd := take_run(left, connection, self._by_letters, effects.observations):
            self._take_frame(connection, odd[0], Origin("ws", odd[1], endpoint), effects)
        self._watch.note(connection, effects.observations)
        return effects

    def _take_frame(self, connection: int, frame: str | bytes, origin: Origin, effects: Effects) -> None:
        """The long way."""
        now, reading = origin.ts_recv, read(frame, origin)
        for observation in reading.observations:
            self._take(observation, connection, now, effects)
        if reading.notes or reading.rejects:
            self._take_notes(reading, connection, now, effects)
            effects.rejects += [(reject, _raw(frame)) for reject in reading.rejects]

    def on_close(self, connection: int, reason: str, now: int) -> Effects:
        effects = Effects()
        self._heartbeat_due.pop(connection, None)
        self._watch.closed(connection)
        self._lose(connection, reason, now, effects)
        return effects

    def on_response(
        self, request: HttpRequest, status: int, headers: Mapping[str, str], body: str | bytes, now: int
    ) -> Effects:
        effects = Effects()
        origin = Origin("http", now, request.url, VENUE, status, self._assumed.symbol)
        reading = read(body, origin)
        effects.rejects += [(reject, _raw(body)) for reject in reading.rejects]
        if not 200 <= status < 300:
            again = self._calls.again(request, status, headers, now)
            effects.requests += [again] if again else []
            return effects
        self._calls.done(request)
        self._take_answer(request, reading, now, effects)
        return effects

    def resync(self, instrument: str, now: int) -> Effects:
        effects = Effects()
        market = self._markets.get(instrument)
        if market is not None:
            self._renew_book(market, KEEPER, now, effects)
        return effects

    def on_timer(self, now: int) -> Effects:
        effects = Effects(silences=self._watch.check(now))
        for market in self._markets.values():
            missing = market.overdue(now, effects) or market.settle(now, effects)
            self._backfill(market, missing, now, effects)
            if market.book_due is not None and now >= market.book_due:
                self._resubscribe_book(market, now, effects)
        for connection, due in list(self._heartbeat_due.items()):
            if now >= due:
                self._replace(connection, now, effects)
        for connection, due in list(self._resubscribe_at.items()):
            if now >= due:
                del self._resubscribe_at[connection]
                self._subscribe(connection, now, effects)
        return effects

    def _take(self, observation: Observation, connection: int, now: int, effects: Effects) -> None:
        if isinstance(observation, InstrumentInfo):
            self._instruments.learn(observation, effects)
            return
        market, channel = self._market(observation.instrument, connection), channel_of(observation)
        market.carriers[channel] = connection
        if not market.heard:
            market.heard = True
            self._by_letters[symbol_of(market.instrument)] = market
            self._instruments.sight(observation.instrument, effects)
        if isinstance(observation, Trade):
            missing = market.take_match(observation, now, effects)
            self._backfill(market, missing, now, effects)
        elif isinstance(observation, BookDelta):
            if market.book_ready:  # a change of a book that has no snapshot yet says nothing
                effects.observations.append(observation)
        elif isinstance(observation, BookSnapshot):
            market.book_due, market.book_tries = None, 0
            market.take_snapshot(observation, now, effects)
        else:
            effects.observations.append(observation)
        market.came(channel, connection, now, effects)

    def _market(self, instrument: str, connection: int) -> Market:
        """The product's state; made on first sight, as in a recording whose subscription is unknown."""
        market = self._markets.get(instrument)
        if market is None:
            market = self._markets[instrument] = _market(instrument, connection)
        return market

    def _take_notes(self, reading: Reading, connection: int, now: int, effects: Effects) -> None:
        for note in reading.notes:
            if isinstance(note, Heartbeat):
                self._hear(note, connection, now, effects)
            elif isinstance(note, ErrorFrame):
                self._mend(note, connection, now, effects)
        for instrument in reading.lost_books:
            self._renew_book(self._market(instrument, connection), "unreadable frame", now, effects)

    def _hear(self, heartbeat: Heartbeat, connection: int, now: int, effects: Effects) -> None:
        if connection in self._heartbeat_due:
            self._heartbeat_limit.pop(connection, None)
            self._heartbeat_due[connection] = now + HEARTBEAT_LIMIT_NS
        market = self._market(instrument_of(heartbeat.product_id), connection)
        if "matches" not in self._channels and market.ids.high is None:
            return
        missing = market.hear_heartbeat(heartbeat.last_trade_id or 0, moment(heartbeat.time), now, effects)
        self._backfill(market, missing or market.overdue(now, effects), now, effects)
        if market.feed_gap:
            market.restored(TRADES, now, effects)

    def _mend(self, error: ErrorFrame, connection: int, now: int, effects: Effects) -> None:
        """Coinbase refuses a whole subscription for one bad product or channel: ask for the rest."""
        text = f"{error.message} {error.reason}"
        refused = {f"{each.upper()}.{VENUE}" for each in _INVALID_PRODUCT.findall(text)} & self._subscribed
        kind = class_of(text)
        if refused:
            self._subscribed -= refused
            self._subscribe(connection, now, effects)
        elif kind == "auth" and "level2" in self._channels:
            self._channels = [each for each in self._channels if each != "level2"] + ["level2_batch"]
            self._subscribe(connection, now, effects)
        elif kind == "throttled":
            wait_ns = int(self._resubscribe_backoff.next_s() * NS_PER_S)
            self._resubscribe_at[connection] = now + wait_ns

    def _subscribe(self, connection: int, now: int, effects: Effects) -> None:
        markets = [self._markets[each] for each in sorted(self._subscribed)]
        markets = [market for market in markets if market.connection == connection]
        if not markets:
            return
        self._heartbeat_due[connection] = now + self._heartbeat_limit.get(connection, HEARTBEAT_LIMIT_NS)
        self._watch.expect(connection, self._silence_limits_s(len(markets)), now)
        for market in markets:
            market.book_due = now + SNAPSHOT_LIMIT_NS if self._book_channel() else None
        products = [symbol_of(market.instrument) for market in markets]
        effects.sends.append((connection, _frame("subscribe", products, self._channels)))

    def _silence_limits_s(self, instruments: int) -> dict[str, float]:
        """Of what is subscribed. A book of which snapshots are awaited is asked for again anyway.

        `ticker` comes with each match (docs: Exchange WebSocket channels).
        """
        wanted = {"matches": TRADES, "ticker": QUOTES}
        carried = [wanted.get(each, BOOK) for each in self._channels if each != "heartbeat"]
        return limits_s(carried, instruments, self._settings.silence_s, per_trade={QUOTES})

    def _book_channel(self) -> str | None:
        return next((each for each in self._channels if each.startswith("level2")), None)

    def _renew_book(self, market: Market, reason: str, now: int, effects: Effects) -> None:
        if market.book_ready:
            market.lose_book(reason, now, effects)
            self._resubscribe_book(market, now, effects)

    def _resubscribe_book(self, market: Market, now: int, effects: Effects) -> None:
        """Ask for a new snapshot of one product, less and less often while none comes."""
        channel = self._book_channel() or "level2_batch"
        wait_ns = min(SNAPSHOT_LIMIT_NS << market.book_tries, MAX_SNAPSHOT_LIMIT_NS)
        market.book_tries = min(market.book_tries + 1, 10)
        market.book_due = now + wait_ns
        for verb in ("unsubscribe", "subscribe"):
            frame = _frame(verb, [symbol_of(market.instrument)], [channel])
            effects.sends.append((market.book_connection, frame))

    def _replace(self, connection: int, now: int, effects: Effects) -> None:
        """No heartbeat: what else came is not to be trusted either."""
        limit = self._heartbeat_limit.get(connection, HEARTBEAT_LIMIT_NS)
        self._heartbeat_limit[connection] = min(limit * 2, MAX_HEARTBEAT_LIMIT_NS)
        self._heartbeat_due[connection] = now + self._heartbeat_limit[connection]
        reason = f"no heartbeat for {limit // NS_PER_S} s"
        self._lose(connection, reason, now, effects)
        effects.reconnects.append((connection, reason))

    def _lose(self, connection: int, reason: str, now: int, effects: Effects) -> None:
        for market in self._markets.values():
            if market.book_connection == connection:
                market.book_due = None
            if TRADES in market.lose(connection, reason, now, effects):
                market.suspect = market.fallen_since = None

    def _bar_requests(self, instrument: str, now: int) -> list[HttpRequest]:
        """The last whole minutes, oldest first, as many pages as it takes."""
        end = now // NS_PER_MIN * NS_PER_MIN
        requests = []
        for left in range(self._settings.backfill_bars, 0, -CANDLES_PER_PAGE):
            first = end - left * NS_PER_MIN
            last = end - (max(left - CANDLES_PER_PAGE, 0) + 1) * NS_PER_MIN
            url = (
                f"{self._rest_url}/products/{symbol_of(instrument)}/candles"
                f"?granularity=60&start={format_time(first)}&end={format_time(last)}"
            )
            requests.append(self._calls.ask(url, "bars", instrument, now))
        return requests

    def _backfill(self, market: Market, missing: Range | None, now: int, effects: Effects) -> None:
        if missing is not None:
            self._ask_trades(market, missing, missing[1] + 1, 1, now, effects)

    def _ask_trades(
        self, market: Market, missing: Range, after: int, page: int, now: int, effects: Effects
    ) -> None:
        """`after` pages backwards: trades with smaller ids, newest first."""
        product = symbol_of(market.instrument)
        url = f"{self._rest_url}/products/{product}/trades?limit={TRADES_PER_PAGE}&after={after}"
        purpose = f"trades {missing[0]} {missing[1]} {page}"
        effects.requests.append(self._calls.ask(url, purpose, market.instrument, now))

    def _take_answer(self, request: HttpRequest, reading: Reading, now: int, effects: Effects) -> None:
        purpose, *numbers = request.purpose.split(" ")
        if purpose == "trades" and request.instrument is not None:
            self._take_page(request.instrument, [int(each) for each in numbers], reading, now, effects)
            return
        bars = [each for each in reading.observations if isinstance(each, Bar) and each.closed]
        effects.observations += sorted(bars, key=lambda bar: bar.ts_event)
        for observation in reading.observations:
            if isinstance(observation, InstrumentInfo):
                self._instruments.learn(observation, effects)
            elif not isinstance(observation, Bar):
                self._take_unsolicited(observation, now, effects)

    def _take_page(
        self, instrument: str, numbers: list[int], reading: Reading, now: int, effects: Effects
    ) -> None:
        first, last, page = numbers
        market = self._markets[instrument]
        trades = [each for each in reading.observations if isinstance(each, Trade)]
        market.fill(trades, now, effects)
        lowest = min((int(each.trade_id or 0) for each in trades), default=first)
        if market.ids.still_missing((first, last)) and first < lowest <= last and page < MAX_TRADE_PAGES:
            self._ask_trades(market, (first, last), lowest, page + 1, now, effects)

    def _take_unsolicited(self, observation: Observation, now: int, effects: Effects) -> None:
        """An answer that nobody asked for, as in a recording of somebody else's session."""
        market = self._markets.get(observation.instrument)
        if market is None:
            effects.observations.append(observation)
        elif isinstance(observation, Trade) and market.ids.high is not None:
            market.fill([observation], now, effects)
        elif not isinstance(observation, BookSnapshot):
            # A snapshot with a sequence cannot be joined with updates that have none.
            effects.observations.append(observation)


def _market(instrument: str, connection: int) -> Market:
    return Market(provider=PROVIDER, instrument=instrument, connection=connection)


def _channels(wanted: Sequence[str]) -> list[str]:
    """Our channel names -> Coinbase's, without repeats; heartbeats always."""
    book = "level2" if "level2" in wanted else "level2_batch"
    named = [book if each == "book" else _CHANNELS.get(each) for each in wanted]
    return list(dict.fromkeys([each for each in named if each] + ["heartbeat"]))


def _frame(verb: str, products: list[str], channels: list[str]) -> str:
    message = {"type": verb, "product_ids": products, "channels": channels}
    return msgspec.json.encode(message).decode()


def _raw(payload: str | bytes) -> bytes:
    return payload if isinstance(payload, bytes) else payload.encode(errors="replace")
