"""From a `subscribe` frame to lanes that run: check, audit, answer, then attach or resume."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from actors.indicators_query import IndicatorsAsked, parse_asked
from deployments.ws.channels import DEFAULT_INTERVAL, KINDS, SHARED, STREAMED_INTERVALS, Key
from deployments.ws.indicators import Figure, parts_of, variant_of
from deployments.ws.lane import Lane
from deployments.ws.protocol import CLOSE_DRAINING, Refused, Subscribe, Subscribed, Unsubscribe, code_of
from deployments.ws.resume import Resume
from deployments.ws.subscriptions import PatternSubscription, split
from domain.envelope import Cursor, parse_cursor
from domain.errors import Ambiguous, FinanceHubError, Malformed, NotFound, OverLimit, Rejected
from domain.indicators.spec import parse_spec

if TYPE_CHECKING:
    from deployments.ws.session import Session


class Unsupported(Rejected):
    """A channel or interval that this version does not stream; `code` is the error frame's."""

    def __init__(self, message: str, code: str = "unsupported_channel") -> None:
        super().__init__(message, code)
        self.code = code

    def __str__(self) -> str:
        return str(self.args[0])


class Subscriber:
    """Carries out a session's subscriptions."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._service = session.service

    async def subscribe(self, op: Subscribe) -> Subscribed | None:
        """The answer given; None for feed states. Raises FinanceHubError; then nothing has changed."""
        variant = variant_asked(op)
        cursor = None if op.cursor is None else parse_cursor(op.cursor)
        depth = _depth(op.depth, self._service.settings.book_depth)
        await self._service.hub.start()
        if op.channel == "status" and not op.instruments:
            self._session.follow_feeds(op)
            return None
        names, patterns = split(op.instruments)
        if not names and not patterns:
            raise Malformed("instruments is empty: name ids, aliases or patterns such as *.SIM")
        if patterns and op.channel == "indicators":
            raise Malformed("indicators are of instruments by name: a pattern cannot be followed")
        self._check_room(len(names), len(patterns))
        ids, refused = await self._resolve(names, shared=op.channel in SHARED)
        self._check_figures(op, variant, ids)
        if cursor is not None:
            await self._check_reached(cursor)
        known = [info.instrument for info in await self._service.index.all()] if patterns else []
        await self._service.slots.subscribed(self._session.name, op.channel, [*ids, *patterns])
        await self._service.hub.start()  # it may have gone idle meanwhile; does not yield where it runs
        return self._begin(op, variant, ids, patterns, tuple(refused), cursor, depth, known)

    def _begin(
        self,
        op: Subscribe,
        variant: str,
        ids: Sequence[str],
        patterns: Sequence[str],
        refused: tuple[Refused, ...],
        cursor: Cursor | None,
        depth: int,
        known: Sequence[str],
    ) -> Subscribed:
        """Answer and attach. Never awaits: what the answer's cursor says is where the frames begin."""
        hub, subscriptions = self._service.hub, self._session.subscriptions
        self._check_room(len(ids), len(patterns))
        self._check_figures(op, variant, ids)  # again: other sockets of the user may have come first
        at = hub.cursor() if cursor is None else op.cursor or ""
        answer = Subscribed(
            op.id,
            op.channel,
            (*ids, *patterns),
            refused,
            at,
            **_named(op.channel, variant),
        )
        taken = [subscriptions.add_pattern(op.channel, variant, text) for text in patterns]
        lanes = [self._new_lane(Key(op.channel, name, variant), depth) for name in ids]
        self._session.answer(answer)
        if cursor is not None and op.channel == "indicators":
            for lane in lanes:
                self._session.subscriptions.reading[lane] = (lane.partition, cursor.at(lane.partition))
                self._session.spawn(self._resume_indicator(lane, cursor.at(lane.partition)))
            return answer
        if cursor is not None:
            self._resume(cursor, lanes, taken, known)
            return answer
        for lane in lanes:
            self._go_live(lane)
        for found in taken:
            self._pattern_live(found, known, depth)
        return answer

    def _new_lane(self, key: Key, depth: int) -> Lane:
        lane = self._session.subscriptions.new_lane(key, self._service.directory.partition_of(key.instrument))
        self._session.subscriptions.explicit.add(key)
        self._session.depths[key] = depth
        return lane

    def _go_live(self, lane: Lane) -> None:
        if lane.key.channel == "book":
            self._session.await_book(lane)
        self._service.hub.attach(lane)
        if lane.key.channel == "indicators":
            self._begin_figure(lane)

    def _begin_figure(self, lane: Lane) -> None:
        """From now on no bar is missed; until it is warm no cursor goes beyond this place."""
        lane.floor = self._service.hub.position[lane.partition]
        try:
            figure = self._service.indicators.begin(lane.key, self._session.principal.user)
        except FinanceHubError as error:
            self._lost(lane, error)
            return
        self._session.subscriptions.reading[lane] = (lane.partition, lane.floor)
        self._session.spawn(self._warm_up(lane, figure))

    async def _warm_up(self, lane: Lane, figure: Figure) -> None:
        try:
            await self._service.indicators.ready(figure)
        except FinanceHubError as error:
            self._lost(lane, error)
        finally:
            self._session.subscriptions.reading.pop(lane, None)

    async def _resume_indicator(self, lane: Lane, after: int) -> None:
        reading, lanes = self._session.subscriptions.reading, self._session.subscriptions.lanes

        def reached(offset: int) -> bool:
            reading[lane] = (lane.partition, offset)
            return lanes.get(lane.key) is lane

        try:
            lane.floor = await self._service.indicators.resume(lane, after, self._session.pace, reached)
            if lanes.get(lane.key) is lane:
                self._service.hub.attach(lane)
        except FinanceHubError as error:
            self._lost(lane, error)
        finally:
            reading.pop(lane, None)

    def _lost(self, lane: Lane, error: FinanceHubError) -> None:
        self._session.fail(None, code_of(error), f"{lane.key.variant} of {lane.key.instrument}: {error}")
        self._session.subscriptions.explicit.discard(lane.key)
        if self._session.subscriptions.lanes.get(lane.key) is lane:
            self._session.subscriptions.drop(lane.key)

    def _pattern_live(self, found: PatternSubscription, known: Sequence[str], depth: int) -> None:
        hub = self._service.hub
        if found.channel == "book":
            for name in (name for name in known if found.fits(name)):
                key = Key(found.channel, name, found.variant)
                if key not in self._session.subscriptions.lanes:
                    self._session.depths[key] = depth
                    self._go_live(found.new_lane(key, self._service.directory.partition_of(name)))
        for partition, position in hub.position.items():
            found.live[partition] = position
            hub.pattern_live(found, partition)

    def _resume(
        self,
        cursor: Cursor,
        lanes: Sequence[Lane],
        patterns: Sequence[PatternSubscription],
        known: Sequence[str],
    ) -> None:
        """One reader per partition concerned; patterns concern all."""
        by_partition: dict[str, list[Lane]] = {}
        if patterns:
            by_partition = {partition: [] for partition in self._service.hub.position}
        for lane in lanes:
            lane.cut = True  # not known until a snapshot comes by: never merge until then
            by_partition.setdefault(lane.partition, []).append(lane)
        for partition, here in by_partition.items():
            resume = Resume(
                self._service.hub,
                self._session.subscriptions,
                self._session.pace,
                partition,
                here,
                patterns,
            )
            # Noted at once, so that no cursor runs ahead before the reader has its first turn.
            self._session.subscriptions.reading[resume] = (partition, cursor.at(partition))
            self._session.spawn(self._read_log(resume, partition, cursor.at(partition), known, here))

    def read_on(self, lane: Lane, after: int) -> None:
        """A lane that was live goes back to the log: what its events mean is to be read there."""
        self._service.hub.detach(lane)
        lane.attached = False
        session = self._session
        resume = Resume(
            self._service.hub,
            session.subscriptions,
            session.pace,
            lane.partition,
            (lane,),
            (),
            linked=True,
        )
        session.subscriptions.reading[resume] = (lane.partition, after)
        session.spawn(self._read_log(resume, lane.partition, after, (), (lane,)))

    async def _read_log(
        self, resume: Resume, partition: str, after: int, known: Sequence[str], lanes: Sequence[Lane]
    ) -> None:
        try:
            await resume.run(after, known)
        except FinanceHubError as error:
            self._session.fail(None, code_of(error), f"resume of {partition} after {after} ended: {error}")
            if resume.of_patterns:
                # Nobody could name what is missing: the client comes again with its last cursor.
                self._session.close(CLOSE_DRAINING, f"resume ended: {error}"[:100])
            for lane in lanes:
                self._session.subscriptions.explicit.discard(lane.key)
                if self._session.subscriptions.lanes.get(lane.key) is lane:
                    self._session.subscriptions.drop(lane.key)

    async def _resolve(self, names: Sequence[str], *, shared: bool) -> tuple[list[str], list[Refused]]:
        ids: dict[str, None] = {}
        refused = []
        for name in names:
            try:
                ids[await self._service.index.resolve(name, suggest=False, shared=shared)] = None
            except (NotFound, Malformed, Ambiguous) as error:
                candidates = error.candidates if isinstance(error, Ambiguous) else ()
                refused.append(Refused(name[:80], code_of(error), str(error), candidates))
        return list(ids), refused

    def _check_room(self, names: int, patterns: int) -> None:
        self._service.check_patterns(self._session.principal.user, patterns)
        limit = self._service.settings.max_subscriptions
        if len(self._session.subscriptions) + names + patterns > limit:
            raise OverLimit(
                f"a socket may have {limit} subscriptions and has {len(self._session.subscriptions)}"
            )

    def _check_figures(self, op: Subscribe, variant: str, ids: Sequence[str]) -> None:
        if op.channel == "indicators":
            keys = [Key(op.channel, name, variant) for name in ids]
            self._service.check_figures(self._session.principal.user, keys)

    async def _check_reached(self, cursor: Cursor) -> None:
        heads = await self._service.directory.heads()
        for partition, offset in cursor.offsets.items():
            if offset > heads.at(partition):
                raise Malformed("the cursor points beyond the end of the log: is it another instance's?")


def variant_asked(op: Subscribe | Unsubscribe) -> str:
    """Raises Unsupported."""
    if op.channel not in KINDS:
        raise Unsupported(f"channel {op.channel[:40]!r} is none of {', '.join(KINDS)}")
    if op.channel not in ("bars", "indicators"):
        return ""
    spec = parse_spec(op.spec or "") if op.channel == "indicators" else None
    own = None if spec is None else spec.interval
    interval = (own or DEFAULT_INTERVAL) if op.interval is None else op.interval
    if interval not in STREAMED_INTERVALS:
        raise Unsupported(
            f"bars of {interval[:20]!r} are not streamed; use {', '.join(STREAMED_INTERVALS)}, or HTTP",
            "unsupported_interval",
        )
    if spec is None:
        return interval
    if own not in (None, interval):
        raise Unsupported(f"{spec} beside {interval} bars is served over HTTP", "unsupported_interval")
    parse_asked(IndicatorsAsked("", interval, (str(spec),), 1))
    return variant_of(interval, str(spec.without_interval))


def _named(channel: str, variant: str) -> dict[str, str]:
    """What the answer says of the variant."""
    if channel == "indicators":
        interval, spec = parts_of(variant)
        return {"interval": interval, "spec": spec}
    return {"interval": variant} if variant else {}


def _depth(asked: int | None, ceiling: int) -> int:
    if asked is None:
        return ceiling
    if not 1 <= asked <= ceiling:
        raise Malformed(f"depth is from 1 to {ceiling}, not {asked}")
    return asked
