"""What a replay says it did: the same recording is the same feed, and only its own facts are counted."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
import zstandard

from actors.hand_feed import HandFeed
from actors.local_directory import LocalDirectory
from actors.replay_run import appended_by, replay_name
from domain.clock import ManualClock
from tests.builders import INSTRUMENT, T0, a_gap, a_quote, a_ticker, a_trade

LINES = b'{"ts_recv": 1, "source": "ws", "frame": "a"}\n{"ts_recv": 2, "source": "ws", "frame": "b"}\n'


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
def test_a_compressed_copy_is_the_same_recording(tmp_path: Path, compress) -> None:
    plain, packed, other = (tmp_path / name for name in ("plain", "packed", "other"))
    plain.write_bytes(LINES)
    packed.write_bytes(compress(LINES))
    other.write_bytes(LINES.replace(b'"b"', b'"c"'))
    assert replay_name("kraken", plain) == replay_name("kraken", packed)
    assert replay_name("kraken", plain) != replay_name("kraken", other)
    assert replay_name("kraken", plain) != replay_name("binance", plain)


def test_a_recording_that_breaks_off_has_a_name_too(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gz"
    broken.write_bytes(gzip.compress(LINES * 50)[:-10])
    assert replay_name("kraken", broken).startswith("replay-kraken-")


@pytest.mark.anyio
async def test_a_second_run_counts_neither_repeats_nor_the_gap_it_begins_with() -> None:
    directory = await LocalDirectory.over_memory(1, clock=ManualClock(T0))
    log, facts = directory.stores.log, [a_trade(trade_id=1), a_quote(1.0, 2.0), a_trade(trade_id=2)]
    appended = []
    for _ in range(2):
        before = await directory.heads()
        feed = await HandFeed.started("replay", log, 1, directory.routes)
        await feed.observe(facts, clock=T0)
        appended.append(await appended_by(log, "replay", before, await directory.heads()))
    kinds = [found.event.kind for found in await directory.events(INSTRUMENT, ("gap",), 0, None, 9)]
    await directory.close()
    assert kinds == ["gap"]
    assert appended == [3, 1]


@pytest.mark.anyio
async def test_what_a_feed_told_a_reference_was_not_in_the_recording() -> None:
    directory = await LocalDirectory.over_memory(1, clock=ManualClock(T0))
    reference = "BTC-USD.CRYPTO"
    told = [a_ticker(instrument=reference), a_gap("feed", instrument=reference)]
    before = await directory.heads()
    feed = await HandFeed.started("replay", directory.stores.log, 1, directory.routes)
    await feed.observe([a_trade(trade_id=1), *told, a_ticker()], clock=T0)
    after = await directory.heads()
    counted = await appended_by(directory.stores.log, "replay", before, after)
    await directory.close()
    assert (counted, after.at("market/00")) == (2, 4)
