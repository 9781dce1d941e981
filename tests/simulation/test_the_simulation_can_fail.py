"""A proof that the simulation proves something: each sabotage is found within a few schedules."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from actors.lease import Leases
from actors.seat import Seat
from domain.envelope import MarketEvent
from domain.errors import FinanceHubError
from domain.fed_by import FedBy
from domain.keeper import SymbolKeeper
from domain.market.gaps import NEW_INCARNATION, Touched
from domain.partition import MarketPartition
from domain.senders import Senders
from storage.block import head_after
from storage.event_log import Block
from storage.memory import MemoryLog
from tests.simulation.world import World

SCHEDULES = range(80)


class UnfencedLog(MemoryLog):
    """Takes every block, whoever wrote it and wherever it belongs."""

    def _commit(self, blocks: Sequence[Block]) -> None:
        for block in blocks:
            self._heads[block.partition] = head_after(block, self._heads[block.partition].owner)
            self._blocks.setdefault(block.partition, []).append(block)


class ForgetfulLog(MemoryLog):
    """Says that it has written, and now and then has not."""

    def _commit(self, blocks: Sequence[Block]) -> None:
        super()._commit(blocks)
        for block in blocks:
            if block.first_offset % 17 == 0:
                self._blocks[block.partition].remove(block)


def found(log: type[MemoryLog] = MemoryLog) -> str:
    """What the first schedule that fails says; empty where none does."""
    for seed in SCHEDULES:
        try:
            World(seed, log()).run()
        except (AssertionError, FinanceHubError) as error:
            return str(error)
    return ""


def test_a_log_that_does_not_fence_is_found() -> None:
    assert found(UnfencedLog)


def test_a_log_that_loses_blocks_is_found() -> None:
    assert "acknowledged" in found(ForgetfulLog)


def test_an_acknowledgement_before_the_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    async def at_once(_seat: Seat, _ticket: int) -> None:
        return

    monkeypatch.setattr(Seat, "durable", at_once)
    monkeypatch.setattr(Seat, "is_durable", lambda _seat, _ticket: True)
    assert "was acknowledged and is not in the log" in found()


def test_a_read_before_the_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("actors.keeper_shard.KeeperShard._released", _unguarded)
    assert "before that was durable" in found()


async def _unguarded(_shard, _seat, answer):
    return answer()


def test_an_owner_that_trusts_itself_for_ever_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Leases, "holds", lambda _leases, _seat: True)
    assert "answers for" in found()


def test_an_event_published_before_the_commit_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = Seat.next_part

    def eager(seat: Seat, *bounds: int):
        part = original(seat, *bounds)
        seat.recent.append(0, part.events)
        return part

    monkeypatch.setattr(Seat, "next_part", eager)
    assert "before it is durable" in found()


def test_a_fold_that_admits_repeats_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Senders, "is_next", lambda _senders, _batch: True)
    said = found()  # whichever is met first: the number again, its events, or a log that cannot be taken up
    assert any(each in said for each in ("was admitted after", "are in the log", "not within"))


def test_a_snapshot_that_runs_ahead_of_its_offset_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """The simulation once found it by itself: the fold of a lost seat, saved under its durable offset."""

    def at_once(seat: Seat):
        end = asyncio.get_running_loop().create_future()
        end.set_result(seat.head)
        return end

    monkeypatch.setattr(Seat, "block_end", at_once)
    assert found()


def test_a_snapshot_that_knows_what_no_block_has_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Seat, "places", lambda _seat: {})
    assert found()


def test_a_gap_for_the_feed_that_spoke_last_alone_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_the_last(partition: MarketPartition, sender: str, clock: int, events: list[MarketEvent]) -> None:
        for _, keeper in sorted(partition._keepers.items()):
            if keeper.speaker == sender:
                partition._open_gap(keeper, sender, NEW_INCARNATION, clock, events)

    monkeypatch.setattr(MarketPartition, "_open_gaps", of_the_last)
    assert "opened no gap" in found()


def test_a_restart_that_taints_no_bar_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("domain.keeper.touched", lambda *_gap, **_of: Touched(book=False, trades=False))
    assert "is not tainted" in found()


def test_a_restart_that_breaks_the_book_of_another_feed_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SymbolKeeper, "channels_lost_with", lambda _keeper, _feed: ("feed",))
    assert "says that the book is broken" in found()


def test_bars_that_wait_for_the_feed_that_came_last_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FedBy, "_own", lambda feeds: dict.fromkeys([*feeds.names][-1:]))
    monkeypatch.setattr("domain.timers.WITNESS_WAIT_NS", 10**18)
    assert "open" in found()


def test_a_feed_that_is_noted_without_an_event_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    original = SymbolKeeper.hear

    def noted(keeper: SymbolKeeper, feed: str) -> None:
        original(keeper, feed)
        keeper._join()

    monkeypatch.setattr(SymbolKeeper, "hear", noted)
    assert "differs from the full replay" in found()


def test_a_lost_book_that_the_wrong_feed_is_asked_for_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def of_the_last(partition: MarketPartition, sender: str) -> tuple[str, ...]:
        lost = [name for name, keeper in partition._keepers.items() if keeper.book_lost]
        return tuple(name for name in lost if partition._keepers[name].speaker == sender != "feed0")

    monkeypatch.setattr(MarketPartition, "lost_books", of_the_last)
    assert "no book lost" in found()
