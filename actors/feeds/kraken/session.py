"""Kraken as a sans-I/O session: WebSocket v2 live; frames of v1 are understood where a recording has them.

    instrument > precision of each pair, without which a checksum cannot be built, and its letters: a pair
                 that is written otherwise than its id (`AAPLx/USD`) is subscribed once they are known
    book ──────> snapshot, then changes; cut to the depth and proven by CRC32 after each message;
                 a wrong checksum is a gap: unsubscribe, subscribe, wait for the new snapshot
    trade ─────> ids are dense: a hole is a gap, filled from GET /0/public/Trades (v1 has no ids)
    ticker, ohlc as they come; ping every half minute, a heartbeat comes every second

On subscription bars are filled from GET /0/public/OHLC.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from actors.backoff import Backoff
from actors.feeds.base import KEEPER, Effects, Endpoint, FeedSettings, HttpRequest, Origin, Received
from actors.feeds.carriers import BOOK, QUOTES
from actors.feeds.kraken import hot, hot_v2
from actors.feeds.kraken.facts import Ack, BookText, Fact, Reading
from actors.feeds.kraken.hot import Disproved, Kind
from actors.feeds.kraken.names import PROVIDER, TOKENIZED, VENUE, Names, instrument_of
from actors.feeds.kraken.pair import RESYNC_BASE_S, RESYNC_CAP_S, Pair, offered_depth
from actors.feeds.kraken.parse import read
from actors.feeds.kraken.requests import V1, Speaker, asset_pairs_url, bars_url, trades_url
from actors.feeds.line import Instruments, channel_of
from actors.feeds.rest_calls import RestCalls
from actors.feeds.silence import SILENT_S, StreamWatch, limits_s
from actors.feeds.trade_ids import Range
from domain.clock import NS_PER_MIN, NS_PER_S, NS_PER_US
from domain.ids import venue_of
from domain.market.observations import Bar, BookSnapshot, InstrumentInfo, Observation, Trade

WS_URL = "wss://ws.kraken.com/v2"
REST_URL = "https://api.kraken.com"
REST_INTERVAL_S = 1.1
"""Public endpoints allow about one request a second and address."""
PAIRS_PER_CONNECTION = 100
SILENCE_S = 10.0
PING_NS = 30 * NS_PER_S
SNAPSHOT_LIMIT_NS = 30 * NS_PER_S
MAX_TRADE_PAGES = 100
MAX_BARS = 720
MAX_ENDINGS = 16_384
"""Endings of frames remembered: Kraken lists about 1,500 pairs, each on a few channels."""
RESUBSCRIBE_BASE_S, RESUBSCRIBE_CAP_S = 1.0, 60.0


class KrakenSession:
    """See the module. `settings.channels`: trades, quotes, book, bars."""

    def __init__(self, settings: FeedSettings) -> None:
        self._settings = settings
        self._ws_url = settings.ws_url or WS_URL
        self._rest_url = (settings.rest_url or REST_URL).rstrip("/")
        self._depth = offered_depth(settings.book_depth)
        self._calls = RestCalls(REST_INTERVAL_S, f"{PROVIDER}:{settings.seed}")
        self._speaker = Speaker()
        self._pairs: dict[str, Pair] = {}
        self._wanted: set[str] = set()
        self._subscribed: set[str] = set()
        self._instruments = Instruments()
        self._decimals: dict[str, tuple[int | None, int | None]] = {}
        self._names = Names()
        self._described: set[str] = set()
        self._watch = StreamWatch()
        self._open: set[int] = set()
        self._ping_at: dict[int, int] = {}
        self._protocols: dict[int, int] = {}
        self._endings: dict[str, tuple[Kind, Pair]] = {}
        self._by_name: dict[str, Pair] = {}
        self._resubscribe_at: dict[int, int] = {}
        self._resubscribe_backoff = Backoff(RESUBSCRIBE_BASE_S, RESUBSCRIBE_CAP_S, settings.seed)
        wanted = [each for each in dict.fromkeys(settings.instruments) if venue_of(each) == VENUE]
        for index, instrument in enumerate(wanted):
            self._wanted.add(instrument)
            self._subscribed.add(instrument)
            self._instruments.sight(instrument, Effects())
            self._pair(instrument, index // PAIRS_PER_CONNECTION).depth = self._depth

    def endpoints(self) -> Sequence[Endpoint]:
        connections = sorted({self._pairs[each].connection for each in self._subscribed})
        return [Endpoint(connection, self._ws_url, SILENCE_S) for connection in connections]

    def on_start(self, now: int) -> Effects:
        effects = Effects()
        if self._subscribed:
            url = asset_pairs_url(self._rest_url)
            effects.requests.append(self._calls.ask(url, "instruments", None, now))
        for instrument in sorted(self._subscribed):
            self._ask_bars(instrument, now, effects)
        return effects

    def on_open(self, connection: int, now: int) -> Effects:
        effects = Effects()
        self._open.add(connection)
        self._subscribe_all(connection, now, effects)
        return effects

    def on_frame(self, connection: int, frame: str | bytes, now: int, endpoint: str = "") -> Effects:
        return self.take_frames(connection, ((frame, now),), endpoint)

    def take_frames(self, connection: int, run: Sequence[Received], endpoint: str = "") -> Effects:
        effects, left = Effects(), iter(run)

        def disproved(pair: Pair, now: int) -> None:
            self._renew(pair, "checksum", now, effects)

        while odd := self._take_run(left, connection, effects.observations, disproved):
            self._take_frame(connection, odd[0], Origin("ws", odd[1], endpoint), effects)
        self._watch.note(connection, effects.observations)
        return effects

    def _take_run(
        self, run: Iterator[Received], connection: int, observations: list[Observation], disproved: Disproved
    ) -> Received | None:
        """The short way of the protocol that the connection has spoken so far."""
        protocol = self._protocols.get(connection)
        if protocol == 1:
            return hot.take_run(run, connection, self._endings, observations, disproved)
        if protocol == 2:
            return hot_v2.take_run(run, connection, self._by_name, observations, disproved)
        return next(run, None)

    def _take_frame(self, connection: int, frame: str | bytes, origin: Origin, effects: Effects) -> None:
        """The long way."""
        now, reading = origin.ts_recv, read(frame, origin)
        self._protocols[connection] = reading.protocol
        for fact in _in_order(reading):
            self._take(fact, connection, now, effects)
        for ack in reading.acks:
            self._take_ack(ack, connection, now, effects)
        for instrument in reading.lost_books:
            pair = self._pair(instrument, connection)
            if pair.book is not None:
                self._renew(pair, "unreadable frame", now, effects)
        effects.rejects += [(reject, _raw(frame)) for reject in reading.rejects]
        if reading.protocol == 1 and reading.facts and type(frame) is str:
            self._remember(hot.ending(frame))

    def _remember(self, end: str) -> None:
        """How frames with this ending are read, once the long way has understood one."""
        found = hot.kind_of(end) if len(self._endings) < MAX_ENDINGS else None
        pair = None if found is None else self._pairs.get(instrument_of(found[1]))
        if found is not None and pair is not None and pair.heard:
            self._endings[end] = found[0], pair

    def on_close(self, connection: int, reason: str, now: int) -> Effects:
        effects = Effects()
        self._ping_at.pop(connection, None)
        self._resubscribe_at.pop(connection, None)
        self._open.discard(connection)
        self._watch.closed(connection)
        for pair in self._pairs.values():
            if pair.book_connection == connection:
                pair.book = pair.resync_at = None
            pair.lose(connection, reason, now, effects)
        return effects

    def on_response(
        self, request: HttpRequest, status: int, headers: Mapping[str, str], body: str | bytes, now: int
    ) -> Effects:
        effects = Effects()
        reading = read(body, Origin("http", now, request.url, VENUE, status), self._names.instrument)
        effects.rejects += [(reject, _raw(body)) for reject in reading.rejects]
        # Kraken says most errors with status 200.
        said = {reject.reject_class for reject in reading.rejects} if not reading.facts else set()
        failed = 429 if "throttled" in said else 503 if "upstream" in said else status
        if not 200 <= failed < 300:
            again = self._calls.again(request, failed, headers, now)
            effects.requests += [again] if again else []
            return effects
        self._calls.done(request)
        self._take_answer(request, reading, now, effects)
        return effects

    def resync(self, instrument: str, now: int) -> Effects:
        effects = Effects()
        pair = self._pairs.get(instrument)
        if pair is not None and pair.book is not None:
            self._renew(pair, KEEPER, now, effects)
        return effects

    def on_timer(self, now: int) -> Effects:
        effects = Effects(silences=self._watch.check(now))
        for pair in self._pairs.values():
            if pair.resync_at is not None and now >= pair.resync_at:
                self._ask_snapshot(pair, now, effects)
            self._backfill(pair, pair.settle(now, effects), pair.old_until, now, effects)
        for connection, due in list(self._ping_at.items()):
            if now >= due:
                self._ping_at[connection] = now + PING_NS
                effects.sends.append((connection, self._speaker.ping(self._protocols.get(connection, 2))))
        for connection, due in list(self._resubscribe_at.items()):
            if now >= due:
                del self._resubscribe_at[connection]
                self._subscribe_all(connection, now, effects)
        return effects

    def _take(self, fact: Fact, connection: int, now: int, effects: Effects) -> None:
        if isinstance(fact, InstrumentInfo):
            self._learn(fact, "", now, effects)
            return
        pair = self._pair(fact.instrument, connection)
        channel = BOOK if isinstance(fact, BookText) else channel_of(fact)
        pair.carriers[channel] = connection
        if not pair.heard:
            pair.heard = True
            self._by_name[self._names.v2(fact.instrument)] = pair
            self._instruments.sight(fact.instrument, effects)
        if isinstance(fact, BookText):
            pair.protocol = fact.protocol
            if not pair.take_book(fact, now, effects):
                self._renew(pair, "checksum", now, effects)
        elif isinstance(fact, Trade):
            missing, since = pair.take_print(fact, now, effects)
            self._backfill(pair, missing, since, now, effects)
        else:
            effects.observations.append(fact)
        pair.came(channel, connection, now, effects)

    def _pair(self, instrument: str, connection: int) -> Pair:
        """The pair's state; made on first sight, as in a recording whose subscription is unknown."""
        pair = self._pairs.get(instrument)
        if pair is None:
            backoff = Backoff(RESYNC_BASE_S, RESYNC_CAP_S, f"{self._settings.seed}:{instrument}")
            pair = self._pairs[instrument] = Pair(
                provider=PROVIDER, instrument=instrument, connection=connection, backoff=backoff
            )
            pair.decimals = self._decimals.get(instrument, (None, None))
        return pair

    def _learn(self, info: InstrumentInfo, asset_class: str, now: int, effects: Effects) -> None:
        instrument, before = info.instrument, self._names.letters(info.instrument)
        self._instruments.learn(info, effects)
        self._names.learn(info, asset_class)
        self._described.add(instrument)
        self._decimals[instrument] = info.price_precision, info.size_precision
        pair, letters = self._pairs.get(instrument), self._names.letters(instrument)
        if pair is None:
            return
        pair.learn_decimals(info.price_precision, info.size_precision)
        if pair.heard:
            self._by_name[letters.symbol] = pair
        if instrument not in self._wanted:
            return
        if letters.symbol != before.symbol:
            self._subscribed.add(instrument)
            if pair.connection in self._open:
                self._subscribe(pair.connection, [pair], now, effects)
        if letters.asset_class != before.asset_class:
            self._ask_bars(instrument, now, effects)

    def _take_ack(self, ack: Ack, connection: int, now: int, effects: Effects) -> None:
        if ack.error is None:
            if ack.channel == "book" and ack.instrument is not None and ack.depth:
                self._pair(ack.instrument, connection).depth = ack.depth
        elif ack.symbol is not None and ack.instrument and ack.symbol != self._names.v2(ack.instrument):
            return  # a name that we use no longer, or never have
        elif ack.error_class == "not_found" and ack.instrument in self._subscribed:
            self._subscribed.discard(ack.instrument)
            self._pairs[ack.instrument].resync_at = None
        elif ack.error_class == "throttled":
            wait_ns = int(self._resubscribe_backoff.next_s() * NS_PER_S)
            self._resubscribe_at[connection] = now + wait_ns

    def _subscribe_all(self, connection: int, now: int, effects: Effects) -> None:
        pairs = [self._pairs[each] for each in sorted(self._subscribed)]
        pairs = [pair for pair in pairs if pair.connection == connection]
        if pairs:
            self._ping_at[connection] = now + PING_NS
            effects.sends.append((connection, self._speaker.describe()))
            self._watch.expect(connection, self._silence_limits_s(len(pairs)), now)
            self._subscribe(connection, pairs, now, effects)

    def _subscribe(self, connection: int, pairs: Sequence[Pair], now: int, effects: Effects) -> None:
        names = [self._names.v2(pair.instrument) for pair in pairs]
        wanted = set(self._settings.channels)
        frames = []
        if "book" in wanted:
            frames.append(self._speaker.subscribe("book", names, depth=self._depth, snapshot=True))
            for pair in pairs:
                pair.resync_at = now + SNAPSHOT_LIMIT_NS
        if "trades" in wanted:
            frames.append(self._speaker.subscribe("trade", names, snapshot=True))
        if wanted & {"quotes", "ticker"}:
            frames.append(self._speaker.subscribe("ticker", names, event_trigger="bbo", snapshot=True))
        if "bars" in wanted:
            frames.append(self._speaker.subscribe("ohlc", names, interval=1, snapshot=True))
        effects.sends += [(connection, frame) for frame in frames]

    def _silence_limits_s(self, instruments: int) -> dict[str, float]:
        """Of what is subscribed; the venue's `ticker` brings quotes."""
        carried = [QUOTES if each == "ticker" else each for each in self._settings.channels]
        watched = [each for each in carried if each in SILENT_S]
        return limits_s(watched, instruments, self._settings.silence_s)

    def _renew(self, pair: Pair, reason: str, now: int, effects: Effects) -> None:
        pair.break_book(reason, now, effects)
        if pair.resync_at is not None and pair.resync_at <= now:
            self._ask_snapshot(pair, now, effects)

    def _ask_snapshot(self, pair: Pair, now: int, effects: Effects) -> None:
        """Ask, and ask again if none has come in time."""
        pair.resync_at = now + SNAPSHOT_LIMIT_NS
        depth = pair.depth or self._depth
        names = self._names
        symbol = names.v1(pair.instrument) if pair.protocol == V1 else names.v2(pair.instrument)
        frames = self._speaker.renew_book(symbol, depth, pair.protocol)
        effects.sends += [(pair.book_connection, frame) for frame in frames]

    def _ask_bars(self, instrument: str, now: int, effects: Effects) -> None:
        bars = min(self._settings.backfill_bars, MAX_BARS)
        if bars > 0:
            # The forming bar comes in addition and `since` is exclusive.
            since = now // NS_PER_MIN * NS_PER_MIN - (bars + 1) * NS_PER_MIN
            name, kind = self._names.rest(instrument), self._names.letters(instrument).asset_class
            url = bars_url(self._rest_url, name, since // NS_PER_S, kind)
            effects.requests.append(self._calls.ask(url, "bars", instrument, now))

    def _backfill(self, pair: Pair, missing: Range | None, since: int, now: int, effects: Effects) -> None:
        if missing is not None:
            self._ask_trades(pair, missing, since, 1, now, effects)

    def _ask_trades(
        self, pair: Pair, missing: Range, since: int, page: int, now: int, effects: Effects
    ) -> None:
        """`since` is a microsecond before the last trade we have: v2 cuts times to microseconds."""
        name, kind = self._names.rest(pair.instrument), self._names.letters(pair.instrument).asset_class
        url = trades_url(self._rest_url, name, max(since - NS_PER_US, 0), kind)
        purpose = f"trades {missing[0]} {missing[1]} {page} {since}"
        effects.requests.append(self._calls.ask(url, purpose, pair.instrument, now))

    def _take_answer(self, request: HttpRequest, reading: Reading, now: int, effects: Effects) -> None:
        facts = [each for each in reading.facts if not isinstance(each, BookText)]
        purpose, *numbers = request.purpose.split(" ")
        if purpose == "trades" and request.instrument is not None:
            pair = self._pairs[request.instrument]
            self._take_page(pair, [int(each) for each in numbers], facts, now, effects)
            return
        bars = [each for each in facts if isinstance(each, Bar) and each.closed]
        effects.observations += bars[-self._settings.backfill_bars :] if purpose == "bars" else bars
        asset_class = TOKENIZED if purpose == TOKENIZED else ""
        for fact in facts:
            if isinstance(fact, InstrumentInfo):
                self._learn(fact, asset_class, now, effects)
            elif not isinstance(fact, Bar):
                self._take_unsolicited(fact, now, effects)
        if purpose == "instruments" and self._wanted - self._described:
            url = asset_pairs_url(self._rest_url, TOKENIZED)
            effects.requests.append(self._calls.ask(url, TOKENIZED, None, now))

    def _take_page(
        self, pair: Pair, numbers: list[int], facts: list[Observation], now: int, effects: Effects
    ) -> None:
        first, last, page, since = numbers
        trades = [each for each in facts if isinstance(each, Trade)]
        pair.fill(trades, now, effects)
        newest = max((each.ts_event for each in trades), default=since)
        if pair.ids.still_missing((first, last)) and newest > since + NS_PER_US and page < MAX_TRADE_PAGES:
            self._ask_trades(pair, (first, last), newest, page + 1, now, effects)

    def _take_unsolicited(self, fact: Observation, now: int, effects: Effects) -> None:
        """An answer that nobody asked for, as in a recording of somebody else's session."""
        pair = self._pairs.get(fact.instrument)
        if pair is None:
            effects.observations.append(fact)
        elif isinstance(fact, Trade) and pair.ids.high is not None:
            pair.fill([fact], now, effects)
        elif not isinstance(fact, BookSnapshot):
            # A REST snapshot has no checksum and cannot be joined with the changes.
            effects.observations.append(fact)


def _in_order(reading: Reading) -> list[Fact]:
    """The trades before a subscription by time and id, whichever way round they came."""
    if not reading.first_trades:
        return reading.facts
    trades = [each for each in reading.facts if isinstance(each, Trade)]
    trades.sort(key=lambda trade: (trade.instrument, trade.ts_event, int(trade.trade_id or 0)))
    return list(trades)


def _raw(payload: str | bytes) -> bytes:
    return payload if isinstance(payload, bytes) else payload.encode(errors="replace")
