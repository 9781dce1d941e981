"""Binance's protocol over all its sockets, without I/O: see `actors.feeds.base.Session`.

    first diff of an instrument ──> depth request ──> snapshot ──> book (domain.market.sync)
    a jump in trade ids ──> Gap ──> aggTrades from there ──> the missing trades ──> Gap closed
    23.5 h or a shutdown notice ──> Effects.reconnects: two sockets overlap for a while

Instruments that the settings do not name are learnt from the frames, so a capture plays without any.
A planned renewal calls `on_open` again without `on_close`; `on_close` always means a loss.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from actors.feeds.base import NOTHING, Assumed, Effects, Endpoint, FeedSettings, HttpRequest, Received, Reject
from actors.feeds.binance import failures
from actors.feeds.binance.address import NOWHERE, Address, read_address
from actors.feeds.binance.assumed import completed
from actors.feeds.binance.calls import Call, CallQueue, observe_weight, pause_end
from actors.feeds.binance.context import Context, Frame
from actors.feeds.binance.hot import ShortWays, take_run
from actors.feeds.binance.links import CHANNEL_OF, RENEWAL_SPREAD_S, Link, plan_links, read_routes
from actors.feeds.binance.parse import parse_in
from actors.feeds.binance.questions import TRADES_PER_CALL, Questions
from actors.feeds.binance.subject import Subject, channel_of
from actors.feeds.binance.symbols import SymbolTable
from actors.feeds.binance.venues import BINANCE, VENUES, Venue
from actors.feeds.carriers import TRADES
from actors.feeds.silence import StreamWatch
from domain.ids import InstrumentId, venue_of
from domain.market.observations import BookDelta, BookSnapshot, InstrumentInfo, Observation, Trade

MAX_SUBJECTS = 20_000
MAX_KEPT_FRAME = 4096
_STREAM_OF = {"trades": "trade", "aggTrades": "aggTrade"}
"""REST's lists of trades continue the ids of these streams."""

MAX_TRADE_ATTEMPTS = 5
MAX_BAR_ATTEMPTS = 5


class BinanceSession:
    """`max_streams` lowers the number of streams per socket."""

    def __init__(
        self,
        settings: FeedSettings,
        symbols: SymbolTable,
        max_streams: int | None = None,
        assumed: Assumed = NOTHING,
    ) -> None:
        self._assumed = assumed
        self._assumed_venue = VENUES.get(assumed.venue or "") or BINANCE
        self._backfill_bars = settings.backfill_bars
        self._symbols = symbols
        self._random = random.Random(settings.seed)
        self._calls = CallQueue(settings.seed)
        self._questions = Questions(self._calls, settings)
        self._subjects: dict[str, Subject] = {}
        self._waiting: dict[str, Subject] = {}
        """Those with a trade that may begin a new numbering."""
        self._watch = StreamWatch()
        self._silence_s = settings.silence_s
        self._infos: dict[str, InstrumentInfo] = {}
        self._listed: set[str] = set()
        wanted = [symbols.assign(text) for text in settings.instruments]
        planned = plan_links(
            dict.fromkeys((venue, symbol) for venue, symbol, _ in wanted),
            settings.channels,
            settings.ws_url,
            max_streams,
            read_routes(settings.routes),
        )
        self._links = {link.connection: link for link in planned}
        self._planned = planned
        for venue, symbol, instrument in wanted:
            self._subjects[instrument] = self._planned_subject(instrument, venue, symbol)

    def endpoints(self) -> Sequence[Endpoint]:
        return [link.endpoint() for link in self._planned]

    def on_start(self, now: int) -> Effects:
        effects = Effects()
        for name in dict.fromkeys(subject.venue.name for subject in self._subjects.values()):
            self._questions.listing(VENUES[name], now)
        if self._backfill_bars > 0:
            for subject in self._subjects.values():
                self._questions.bars(subject, now)
        return self._finish(effects, now)

    def on_open(self, connection: int, now: int) -> Effects:
        effects = Effects()
        link = self._link(connection)
        renewed = link.opened_at is not None
        link.opened(now, self._random.uniform(0.0, RENEWAL_SPREAD_S))
        self._watch.expect(connection, link.silence_limits_s(self._silence_s), now)
        effects.sends += link.due_frames(now)
        if not renewed:
            for subject in self._carried(connection):
                if TRADES in subject.carriers.on(connection):
                    subject.resume_trades()
                self._ask_wanted(subject, now)
        return self._finish(effects, now)

    def on_frame(self, connection: int, frame: str | bytes, now: int, endpoint: str = "") -> Effects:
        return self.take_frames(connection, ((frame, now),), endpoint)

    def take_frames(self, connection: int, run: Sequence[Received], endpoint: str = "") -> Effects:
        effects = Effects()
        link = self._links.get(connection) or self._link(connection)
        address = read_address(endpoint) if endpoint else NOWHERE
        venue = address.venue or link.venue or self._assumed_venue
        if address.refusal is not None:
            for frame, now in run:
                self._take_frame(frame, link, venue, address, now, effects)
            return effects
        ways, left = link.ways.get(venue.name) or self._ways_of(link, venue), iter(run)
        while odd := take_run(left, ways, link.overlap_until, effects.observations):
            self._take_frame(odd[0], link, venue, address, odd[1], effects)
        return effects

    def _take_frame(
        self, frame: str | bytes, link: Link, venue: Venue, address: Address, now: int, effects: Effects
    ) -> None:
        """The long way."""
        context = Context(self._symbols, venue, now, address)
        parsed = parse_in(frame, completed(context, self._assumed.symbol))
        for reject in parsed.rejects:
            effects.rejects.append((reject, _kept(frame)))
        for observation in parsed.observations:
            self._take(observation, parsed.event, link, now, effects, venue)
        if parsed.event == "serverShutdown":
            self._renew(link, "the venue announced a shutdown", effects)
        if self._calls.dirty:
            self._finish(effects, now)

    def _ways_of(self, link: Link, venue: Venue) -> ShortWays:
        ways = link.ways.get(venue.name)
        if ways is None:
            ways = link.ways[venue.name] = ShortWays(self._watch.heard(link.connection))
        return ways

    def _carry(self, subject: Subject, channel: str, link: Link, venue: Venue) -> None:
        """A frame of the channel has come over this connection: the next ones may go the short way."""
        before = subject.carriers.get(channel)
        if before is not None and before != link.connection:
            for ways in self._link(before).ways.values():
                ways.close(channel, subject)
        subject.carriers[channel] = link.connection
        ways = self._ways_of(link, venue)
        if subject.instrument in self._subjects:
            ways.open(channel, subject)

    def on_close(self, connection: int, reason: str, now: int) -> Effects:
        effects = Effects()
        self._link(connection).closed()
        self._watch.closed(connection)
        for subject in self._carried(connection):
            subject.interrupt(connection, reason, now, effects)
        return effects

    def on_response(
        self, request: HttpRequest, status: int, headers: Mapping[str, str], body: str | bytes, now: int
    ) -> Effects:
        """Answers to what nobody asked (a capture's first lines) are taken by their address alone."""
        effects = Effects()
        call = self._calls.answered(request)
        address = read_address(request.url)
        venue = call.venue if call is not None else address.venue or self._assumed_venue
        observe_weight(self._calls.budget(venue), headers, now)
        if status == 0:
            self._again(call, now)
            return self._finish(effects, now)
        context = Context(self._symbols, venue, now, address, "http", status)
        parsed = parse_in(body, completed(context, self._assumed.symbol))
        failure = _failure(parsed, status)
        if failure is not None:
            effects.rejects.append((failure, _kept(body)))
            self._failed(call, venue, failure, (status, headers, body), now)
            return self._finish(effects, now)
        effects.rejects += [(reject, _kept(body)) for reject in parsed.rejects]
        useful = self._answer(parsed, address, venue, now, effects)
        if call is not None:
            self._settle(call, useful, now, effects)
        return self._finish(effects, now)

    def resync(self, instrument: str, now: int) -> Effects:
        effects = Effects()
        subject = self._subjects.get(instrument)
        if subject is not None:
            subject.distrust_book(now, effects)
            self._ask_wanted(subject, now)
        return self._finish(effects, now)

    def on_timer(self, now: int) -> Effects:
        effects = Effects(silences=self._watch.check(now))
        for subject in list(self._waiting.values()):
            if not subject.settle(now, effects):
                del self._waiting[subject.instrument]
                self._ask_wanted(subject, now)
        for link in self._links.values():
            effects.sends += link.due_frames(now)
            if link.streams and link.opened_at is not None and now >= link.renew_at:
                self._renew(link, "the socket nears its 24 h", effects)
        return self._finish(effects, now)

    def _take(
        self,
        observation: Observation,
        event: str,
        link: Link | None,
        now: int,
        effects: Effects,
        venue: Venue | None = None,
    ) -> None:
        """One observation by its kind; `link` and its socket's `venue` are None for what came over REST."""
        subject = self._subjects.get(observation.instrument)
        if subject is None:
            subject = self._discover(observation.instrument, now, effects)
        if link is not None:
            channel = channel_of(observation)
            self._carry(subject, channel, link, venue or subject.venue)
            self._watch.heard(link.connection)[channel] = now
        match observation:
            case Trade():
                subject.on_trade(observation, event, effects)
                if subject.track is not None and subject.track.held is not None:
                    self._waiting[subject.instrument] = subject
            case BookDelta():
                overlapping = link is not None and now < link.overlap_until
                subject.on_delta(observation, effects, overlapping=overlapping)
            case BookSnapshot():
                subject.on_partial(observation, effects)
            case _:
                subject.on_other(observation, effects)
        if subject.wants_book or subject.trades_from is not None:
            self._ask_wanted(subject, now)

    def _answer(self, parsed: Frame, address: Address, venue: Venue, now: int, effects: Effects) -> bool:
        """A good answer, by what was asked. False: the same question has to be asked again."""
        match address.resource:
            case "exchangeInfo":
                self._listing(parsed, venue, effects)
            case "depth":
                return self._snapshot(parsed, now, effects)
            case "aggTrades" if address.from_id is not None:
                return self._trade_page(parsed, address, venue, now, effects)
            case _:
                for observation in parsed.observations:
                    self._take(observation, _STREAM_OF.get(parsed.event, parsed.event), None, now, effects)
        return True

    def _listing(self, parsed: Frame, venue: Venue, effects: Effects) -> None:
        self._listed.add(venue.name)
        for info in parsed.observations:
            if isinstance(info, InstrumentInfo):
                self._infos[info.instrument] = info
                if info.instrument in self._subjects:
                    effects.observations.append(info)

    def _snapshot(self, parsed: Frame, now: int, effects: Effects) -> bool:
        """False where the snapshot is older than the diffs waiting for it."""
        for snapshot in parsed.observations:
            if isinstance(snapshot, BookSnapshot):
                subject = self._subjects.get(snapshot.instrument)
                if subject is None:
                    subject = self._discover(snapshot.instrument, now, effects)
                subject.on_snapshot(snapshot, effects)
                wants_another, subject.wants_book = subject.wants_book, False
                return not wants_another
        return False

    def _trade_page(self, parsed: Frame, address: Address, venue: Venue, now: int, effects: Effects) -> bool:
        """False where the page brought nothing of what is missing."""
        trades = [trade for trade in parsed.observations if isinstance(trade, Trade)]
        subject = self._subjects.get(self._symbols.resolve(venue.name, address.symbol or ""))
        if subject is None or address.from_id is None:
            return True
        rows = len(trades) + len(parsed.rejects)
        moved = subject.on_trade_page(
            trades,
            address.from_id,
            now,
            effects,
            full=rows >= (address.limit or TRADES_PER_CALL),
            whole=not parsed.rejects,
        )
        if moved:
            self._ask_wanted(subject, now)
        subject.trades_from = None
        return moved

    def _settle(self, call: Call, useful: bool, now: int, effects: Effects) -> None:
        """Follows a good answer: what comes next, or the same again with a delay."""
        if useful:
            self._calls.succeeded(call)
        elif self._calls.retry(call, now) >= MAX_TRADE_ATTEMPTS and call.topic == "trades":
            self._calls.drop(call)
            subject = self._subjects[call.subject]
            subject.abandon_trades(now, effects)
            self._ask_wanted(subject, now)

    def _failed(
        self,
        call: Call | None,
        venue: Venue,
        failure: Reject,
        answer: tuple[int, Mapping[str, str], str | bytes],
        now: int,
    ) -> None:
        """Pauses the venue, asks again later, or lets the question rest, as the class demands."""
        status, headers, body = answer
        if failure.reject_class in ("throttled", "entitlement"):
            status = 451 if failure.reject_class == "entitlement" else status
            text = body if isinstance(body, str) else body.decode(errors="replace")
            self._calls.budget(venue).pause(pause_end(status, headers, text, now))
            self._again(call, now)
        elif failure.reject_class in ("upstream", "malformed"):
            self._again(call, now)
        elif call is not None:
            self._calls.refuse(call, now)

    def _again(self, call: Call | None, now: int) -> None:
        """Bars are asked for a few times only; a book or a list is asked for until it comes."""
        if call is not None and self._calls.retry(call, now) >= MAX_BAR_ATTEMPTS and call.topic == "bars":
            self._calls.drop(call)

    def _discover(self, instrument: str, now: int, effects: Effects) -> Subject:
        """An instrument that the settings do not name. Past the bound it is served but not remembered."""
        venue = VENUES[venue_of(instrument)]
        symbol = self._symbols.letters(instrument)
        subject = Subject(InstrumentId(instrument), venue, symbol)
        if len(self._subjects) < MAX_SUBJECTS:
            self._subjects[instrument] = subject
        if venue.name not in self._listed:
            self._questions.listing(venue, now)
        info = self._infos.get(instrument)
        if info is not None:
            effects.observations.append(info)
        return subject

    def _ask_wanted(self, subject: Subject, now: int) -> None:
        if subject.wants_book:
            subject.wants_book = False
            self._questions.book(subject, now)
        if subject.trades_from is not None:
            self._questions.trades(subject, subject.trades_from, now)
            subject.trades_from = None

    def _renew(self, link: Link, reason: str, effects: Effects) -> None:
        if not link.renewing:
            link.renewing = True
            effects.reconnects.append((link.connection, reason))

    def _finish(self, effects: Effects, now: int) -> Effects:
        effects.requests += self._calls.release(now)
        return effects

    def _link(self, connection: int) -> Link:
        link = self._links.get(connection)
        if link is None:
            link = self._links[connection] = Link(connection, None)
        return link

    def _carried(self, connection: int) -> list[Subject]:
        return [subject for subject in self._subjects.values() if subject.carriers.on(connection)]

    def _planned_subject(self, instrument: InstrumentId, venue: Venue, symbol: str) -> Subject:
        subject = Subject(instrument, venue, symbol)
        for link in self._planned:
            if link.venue is venue and symbol in link.symbols:
                subject.carriers.update(
                    (CHANNEL_OF.get(each, each), link.connection) for each in link.channels
                )
        return subject


def _failure(parsed: Frame, status: int) -> Reject | None:
    """Why an answer is useless; None where it has content or is rightly empty."""
    if parsed.observations:
        return None
    by_status = failures.class_of_status(status)
    if parsed.rejects:
        return parsed.rejects[0]
    return Reject(by_status, f"HTTP status {status}") if by_status else None


def _kept(frame: str | bytes) -> bytes:
    """The beginning of a frame, for whoever mends the adapter."""
    if isinstance(frame, bytes):
        return frame[:MAX_KEPT_FRAME]
    return frame[:MAX_KEPT_FRAME].encode(errors="replace")[:MAX_KEPT_FRAME]
