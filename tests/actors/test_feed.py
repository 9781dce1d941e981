"""FeedActor: from a source into a sender and the provider's own log."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence

import pytest

from actors.feed import FeedActor, FeedActorSettings
from actors.feeds.base import Reject, Silence
from actors.feeds.journal import Journal, JournalSettings
from actors.feeds.provider_log import claim_provider
from actors.feeds.source import Sink, Step
from domain.errors import Conflict, NotOwner, Unavailable
from domain.feed_events import FeedLost, FrameRejected
from domain.market.observations import Gap, Trade
from observability.metrics import Telemetry
from storage.block import events_of
from storage.memory import Fault, MemoryLog
from storage.writer import LogWriter
from tests.actors.receiving_end import EPOCH_NS, KeepingSender, KeepingWriter, LoopClock
from tests.venue_server import until

MS = 1_000_000
QUICK = FeedActorSettings(heartbeat_s=0.01, stop_s=0.2)


def a_trade(number: int) -> Trade:
    return Trade("toy", "TOY-USD.TOY", EPOCH_NS, EPOCH_NS, 1.0, 1.0, None, str(number))


def a_gap(*, opened: bool, channel: str = "book") -> Gap:
    return Gap("toy", "TOY-USD.TOY", EPOCH_NS, EPOCH_NS, channel, "test", opened=opened)


class ListSource:
    """Plays steps, then waits for ever unless it `ends`."""

    def __init__(self, steps: Sequence[Step], *, ends: bool = False) -> None:
        self._steps = steps
        self._ends = ends
        self.open = 0
        self.closed = False
        self.now = EPOCH_NS
        self.resynced: list[str] = []

    def now_ns(self) -> int:
        return self.now

    def resync(self, instruments: Sequence[str]) -> None:
        self.resynced += instruments

    def connections(self) -> tuple[int, int]:
        return self.open, 1

    async def run(self, sink: Sink) -> None:
        self.open = 1
        try:
            for step in self._steps:
                sink.take(step)
            if not self._ends:
                await asyncio.Event().wait()
        finally:
            self.open = 0
            self.closed = True


class Stage:
    """An actor between a source and receiving ends."""

    def __init__(
        self,
        source: ListSource,
        *,
        writer: KeepingWriter | None = None,
        bound: int = 1000,
        telemetry: Telemetry | None = None,
        instruments: Sequence[str] = ("TOY-USD.TOY",),
    ) -> None:
        self.source = source
        self.writer = writer or KeepingWriter()
        self.senders: list[KeepingSender] = []
        self.bound = bound
        self.actor = FeedActor(
            "toy",
            source,
            instruments,
            claim=self._claim,
            make_sender=self._sender,
            settings=QUICK,
            telemetry=telemetry,
        )

    async def _claim(self) -> tuple[int, KeepingWriter]:
        return 7, self.writer

    def _sender(self, incarnation: int) -> KeepingSender:
        self.senders.append(KeepingSender(incarnation, self.bound))
        return self.senders[-1]

    async def running(self, reached: Callable[[], object]) -> None:
        """Run until a condition holds, look at the status meanwhile, then stop."""
        task = asyncio.create_task(self.actor.run())
        await until(reached)
        self.status = self.actor.status()
        for sender in self.senders:
            sender.release()
        await self.actor.stop()
        with pytest.raises(asyncio.CancelledError):
            await task


def test_the_epoch_of_the_claim_is_the_incarnation_of_every_batch() -> None:
    async def scenario() -> None:
        stage = Stage(ListSource([Step(EPOCH_NS, frames=1, observations=[a_trade(1)])]))
        await stage.running(lambda: stage.writer.events and stage.senders[0].trade_ids)
        assert stage.senders[0].incarnation == 7
        assert stage.senders[0].watched == ("TOY-USD.TOY",)
        started = stage.writer.events[0]
        assert (started.kind, started.incarnation) == ("feed_started", 7)  # type: ignore[union-attr]
        assert stage.status.incarnation == 7
        assert stage.status.state == "connected"
        assert stage.status.last_frame == EPOCH_NS

    asyncio.run(scenario())


def test_a_silent_feed_still_moves_the_clock() -> None:
    async def scenario() -> None:
        stage = Stage(ListSource([]))
        await stage.running(lambda: stage.senders and len(stage.senders[0].beats) >= 3)

    asyncio.run(scenario())


def test_a_source_that_ends_ends_the_actor_once_everything_is_durable() -> None:
    async def scenario() -> None:
        stage = Stage(ListSource([Step(EPOCH_NS, observations=[a_trade(1)])], ends=True))
        task = asyncio.create_task(stage.actor.run())
        await until(lambda: stage.senders and stage.senders[0].beats)
        assert not task.done()
        stage.senders[0].release()
        await asyncio.wait_for(task, 2)
        assert stage.actor.status().state == "stopped"
        assert stage.senders[0].closed
        assert stage.writer.kinds() == ["feed_started"]

    asyncio.run(scenario())


def test_stopping_closes_the_source_and_waits_for_what_was_received() -> None:
    async def scenario() -> None:
        stage = Stage(ListSource([Step(EPOCH_NS, observations=[a_trade(1)])]))
        await stage.running(lambda: stage.senders and stage.senders[0].trade_ids)
        assert stage.source.closed
        assert stage.senders[0].closed

    asyncio.run(scenario())


def test_a_newer_incarnation_ends_the_actor() -> None:
    async def scenario() -> None:
        writer = KeepingWriter([NotOwner("provider/toy")])
        stage = Stage(ListSource([]), writer=writer)
        with pytest.raises(Conflict):
            await asyncio.wait_for(stage.actor.run(), 2)
        assert stage.source.closed

    asyncio.run(scenario())


def test_connections_losses_and_resyncs_are_told_to_the_log() -> None:
    steps = [
        Step(EPOCH_NS, connected=[(0, "wss://venue/feed?token=hush")]),
        Step(EPOCH_NS + 1, observations=[a_gap(opened=True)], lost=[(0, "aborted")]),
        Step(EPOCH_NS + 2, lost=[(0, "cannot connect")]),
        Step(EPOCH_NS + 3, connected=[(0, "wss://venue/feed?token=hush")]),
        Step(EPOCH_NS + 4, observations=[a_gap(opened=False)], resynced=[("TOY-USD.TOY", "book")]),
    ]

    async def scenario() -> None:
        stage = Stage(ListSource(steps))
        await stage.running(lambda: len(stage.writer.events) == 5)
        assert stage.writer.kinds() == [
            "feed_started",
            "feed_connected",
            "feed_lost",
            "feed_connected",
            "feed_resynced",
        ]
        assert "hush" not in repr(stage.writer.events)
        assert (stage.status.gaps, stage.status.state) == (1, "connected")

    asyncio.run(scenario())


def test_a_feed_with_an_unsynced_book_is_degraded() -> None:
    async def scenario() -> None:
        stage = Stage(ListSource([Step(EPOCH_NS, observations=[a_gap(opened=True)])]))
        await stage.running(lambda: stage.senders and stage.senders[0].gaps)
        assert stage.status.state == "degraded"

    asyncio.run(scenario())


def test_a_stream_that_is_silent_is_told_to_the_log_the_status_and_the_metrics() -> None:
    silent, back = Silence(1, "trades", 301.0), Silence(1, "trades", 0.5, ended=True)

    def labels(telemetry: Telemetry) -> list[object]:
        return [each.attributes for each in telemetry.collect() if each.name == "financehub.feed.silences"]

    async def scenario(steps: list[Step], expected: tuple[tuple[str, ...], str]) -> None:
        telemetry = Telemetry("test")
        stage = Stage(ListSource(steps), telemetry=telemetry)
        await stage.running(lambda: len(stage.writer.events) == 1 + len(steps) and labels(telemetry))
        assert stage.writer.kinds()[1:].count("feed_silent") == sum(bool(step.silences) for step in steps)
        assert (stage.status.silent, stage.status.state) == expected
        assert labels(telemetry) == [{"provider": "toy", "channel": "trades"}]
        telemetry.close()

    beginning, ending = Step(EPOCH_NS, silences=[silent]), Step(EPOCH_NS + 1, silences=[back])
    lost = [Step(EPOCH_NS + 1, lost=[(1, "gone")]), Step(EPOCH_NS + 2, connected=[(1, "wss://x")])]
    asyncio.run(scenario([beginning], (("trades on connection 1",), "degraded")))
    asyncio.run(scenario([beginning, ending], ((), "connected")))
    asyncio.run(scenario([beginning, *lost], ((), "connected")))


def test_a_book_found_broken_is_asked_for_again_but_never_in_a_storm() -> None:
    async def scenario() -> None:
        telemetry = Telemetry("test")
        stage = Stage(ListSource([Step(EPOCH_NS, observations=[a_trade(1)])]), telemetry=telemetry)
        task = asyncio.create_task(stage.actor.run())
        await until(lambda: stage.senders and stage.senders[0].beats)
        sender, source = stage.senders[0], stage.source

        async def told(second: float) -> int:
            """Keepers say it at that second, over and over; how often the source has been asked."""
            source.now = EPOCH_NS + int(second * 1000) * MS
            for _ in range(3):
                sender.on_broken(("TOY-USD.TOY", "SOMEBODY-ELSES.TOY"))
                sender.beats.clear()
                await until(lambda: len(sender.beats) > 1)
            return len(source.resynced)

        asked = [await told(second) for second in (0, 4, 5, 14, 15, 34, 35, 74, 75, 134, 135)]
        assert asked == [1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6], "5, 10, 20, 40 and 60 seconds apart"
        assert [await told(second) for second in (135 + 120, 135 + 125)] == [7, 8], "healed meanwhile"
        assert set(source.resynced) == {"TOY-USD.TOY"}
        sender.release()
        await stage.actor.stop()
        with pytest.raises(asyncio.CancelledError):
            await task
        counted = [each for each in telemetry.collect() if each.name == "financehub.feed.resyncs"]
        assert [(each.attributes, each.value) for each in counted] == [({"provider": "toy"}, 8.0)]
        telemetry.close()

    asyncio.run(scenario())


def test_a_flood_of_rejected_frames_is_recorded_in_part_and_counted_in_full() -> None:
    rubbish = [(Reject("malformed", "no sense"), b"x" * 10_000)]
    steps = [Step(EPOCH_NS + n * MS, frames=1, rejects=rubbish) for n in range(500)]
    steps.append(Step(EPOCH_NS + 60_000 * MS, frames=1, rejects=rubbish))

    async def scenario() -> None:
        stage = Stage(ListSource(steps))
        await stage.running(lambda: len(stage.writer.events) == 22)
        kept = [event for event in stage.writer.events if isinstance(event, FrameRejected)]
        assert len(kept) == 21
        assert len(kept[0].frame) == 4096
        assert "480 before it were not recorded" in kept[-1].reason
        assert stage.status.rejected == 501

    asyncio.run(scenario())


def test_a_log_that_is_away_delays_the_journal_and_loses_nothing_within_its_bound() -> None:
    async def scenario() -> None:
        writer = KeepingWriter([Unavailable("away"), Unavailable("away")])
        journal = Journal("toy", writer, JournalSettings(max_waiting=3, backoff_base_s=0.001))
        for number in range(5):
            journal.note(Step(EPOCH_NS, lost=[(number, "gone")]))
        task = asyncio.create_task(journal.run())
        await asyncio.wait_for(journal.written(), 2)
        task.cancel()
        assert [event.connection for event in writer.events if isinstance(event, FeedLost)] == [0, 1, 2]
        assert journal.dropped == 2

    asyncio.run(scenario())


@pytest.mark.parametrize("fault", [None, Fault.LOST_ANSWER, Fault.LOST_REQUEST, Fault.LATE, Fault.REFUSED])
def test_feed_events_are_in_the_log_exactly_once_whatever_answer_is_lost(fault: Fault | None) -> None:
    pending = [fault, fault]

    def faults(operation: str, partitions: Sequence[str]) -> Fault | None:
        return pending.pop() if operation == "append" and pending else None

    async def scenario() -> None:
        log = MemoryLog(faults=faults)
        writer = LogWriter(log, "feed-toy/1", LoopClock())
        incarnation, provider_log = await claim_provider(writer, "toy")
        journal = Journal("toy", provider_log, JournalSettings(backoff_base_s=0.001))
        journal.started(EPOCH_NS, incarnation, ["TOY-USD.TOY"])
        journal.note(Step(EPOCH_NS, connected=[(0, "wss://venue")]))
        task = asyncio.create_task(journal.run())
        await asyncio.wait_for(journal.written(), 2)
        journal.note(Step(EPOCH_NS, lost=[(0, "gone")]))
        await asyncio.wait_for(journal.written(), 2)
        task.cancel()
        blocks = await log.read("provider/toy", 0)
        kinds = [recorded.event.kind for block in blocks for recorded in events_of(block)]
        assert kinds == ["feed_started", "feed_connected", "feed_lost"]

    asyncio.run(scenario())


def test_a_second_feed_of_a_provider_fences_the_first() -> None:
    async def scenario() -> None:
        log = MemoryLog()
        first, old_log = await claim_provider(LogWriter(log, "feed-toy/1", LoopClock()), "toy")
        second, _ = await claim_provider(LogWriter(log, "feed-toy/2", LoopClock()), "toy")
        assert second > first
        journal = Journal("toy", old_log)
        journal.started(EPOCH_NS, first, [])
        with pytest.raises(Conflict):
            await asyncio.wait_for(journal.run(), 2)

    asyncio.run(scenario())


def test_keepers_hear_of_a_new_life_before_its_source_says_anything() -> None:
    """Of the instruments and of the references where their prices meet others'."""

    async def scenario() -> None:
        stage = Stage(ListSource([], ends=False), instruments=("BTC-USD.COINBASE", "ETH-USDT.BINANCE"))
        task = asyncio.create_task(stage.actor.run())
        await until(lambda: stage.senders and stage.senders[0].beats)
        assert set(stage.senders[0].watched) == {
            *("BTC-USD.COINBASE", "BTC-USD.CRYPTO", "ETH-USDT.BINANCE", "ETH-USD.CRYPTO")
        }
        await stage.actor.stop()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(scenario())
