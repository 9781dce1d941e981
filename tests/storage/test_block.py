"""Sealing, the chain, and what breaks it."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from msgspec.structs import replace

from domain.envelope import Admitted
from domain.errors import Corrupt, Malformed
from domain.feed_events import FeedLost
from storage import codec
from storage.block import (
    block_hash,
    decode_header,
    encode_header,
    events_of,
    head_after,
    seal,
    verify,
    verify_chain,
)
from storage.event_log import GENESIS_HASH, Block, BlockHeader, Head
from tests.builders import T0, a_quote, a_trade

HEAD = Head("market/00", 3, "me", 10, bytes(range(32)), T0)
BATCHES = (Admitted("binance", 2, 7, T0, 1), Admitted("kraken", 1, 4, T0 + 1, 1))


def a_block(count: int = 2) -> Block:
    return seal(HEAD, BATCHES, [a_trade(100.0 + n, ts=T0 + n) for n in range(count)], T0 + 5)


def test_a_block_follows_its_head() -> None:
    block = a_block(3)
    assert (block.first_offset, block.last_offset, block.event_count) == (11, 13, 3)
    assert (block.epoch, block.prev_hash, block.recorded_ns) == (3, HEAD.hash, T0 + 5)
    assert head_after(block, "me") == Head("market/00", 3, "me", 13, block.hash, T0 + 5)


def test_the_header_says_what_is_inside() -> None:
    events = [
        a_trade(1.0, ts=T0 + 9, instrument="B.SIM"),
        a_quote(1.0, instrument="A.SIM"),
        FeedLost("sim", T0 - 4, 1, "x"),
    ]
    header = seal(HEAD, BATCHES, events, T0).header
    assert header == BlockHeader(BATCHES, ("A.SIM", "B.SIM"), ("feed_lost", "quote", "trade"), T0 - 4, T0 + 9)
    assert decode_header(encode_header(header)) == header


def test_recorded_time_never_decreases_in_a_partition() -> None:
    assert seal(HEAD, (), [a_trade(1.0)], T0 - 100).recorded_ns == HEAD.recorded_ns


def test_a_block_without_events_is_refused() -> None:
    with pytest.raises(Malformed):
        seal(HEAD, BATCHES, [], T0)


def test_events_come_back_at_their_places() -> None:
    entries = events_of(a_block(3))
    assert [(entry.partition, entry.offset, entry.recorded_at) for entry in entries] == [
        ("market/00", offset, T0 + 5) for offset in (11, 12, 13)
    ]
    assert [entry.event for entry in entries] == [a_trade(100.0 + n, ts=T0 + n) for n in range(3)]


def test_the_hash_is_sha256_over_the_bytes_that_the_decisions_name() -> None:
    block = a_block(2)
    batches = [["binance", 2, 7, T0, 1], ["kraken", 1, 4, T0 + 1, 1]]
    header = [batches, ["BTC-USD.SIM"], ["trade"], T0, T0 + 1]
    covered = msgspec.msgpack.encode(["market/00", 11, 12, T0 + 5, 3, header])
    payload = codec.plain(block.codec, block.payload)
    expected = bytes(range(32)) + len(covered).to_bytes(4, "big") + covered + payload
    assert block.hash == hashlib.sha256(expected).digest()


def test_default_fields_at_the_end_of_a_header_do_not_count() -> None:
    """So a header field added later leaves the hashes of old blocks alone."""
    assert encode_header(BlockHeader()) == msgspec.msgpack.encode([])
    assert encode_header(BlockHeader(kinds=("trade",))) == msgspec.msgpack.encode([[], [], ["trade"]])


def test_compressing_anew_keeps_the_hash() -> None:
    block = a_block(500)
    assert block.codec & codec.ZSTD
    unpacked = replace(
        block, codec=block.codec & ~codec.ZSTD, payload=codec.plain(block.codec, block.payload)
    )
    verify(unpacked, HEAD.hash)


@pytest.mark.parametrize(
    "change",
    [
        {"partition": "market/01"},
        {"first_offset": 12},
        {"last_offset": 13},
        {"recorded_ns": T0},
        {"epoch": 4},
        {"header": BlockHeader()},
        {"payload": a_block(3).payload},
        {"prev_hash": GENESIS_HASH},
        {"hash": GENESIS_HASH},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_change_to_a_block_is_found(change: dict[str, object]) -> None:
    block = a_block(2)
    verify(block, HEAD.hash)
    with pytest.raises(Corrupt):
        verify(replace(block, **change), HEAD.hash)


def test_a_chain_is_dense_and_linked() -> None:
    head = Head("market/00", 1, "me", 0, GENESIS_HASH)
    blocks = []
    for count in (1, 3, 2):
        blocks.append(seal(head, (), [a_trade(1.0)] * count, T0))
        head = head_after(blocks[-1], "me")
    assert verify_chain(blocks, 0, GENESIS_HASH) == (6, blocks[-1].hash)
    assert verify_chain(blocks[1:], 1, blocks[0].hash) == (6, blocks[-1].hash)
    for broken in (blocks[1:], [blocks[0], blocks[2]], [blocks[0], blocks[0]]):
        with pytest.raises(Corrupt):
            verify_chain(broken, 0, GENESIS_HASH)


def test_a_fixed_block_has_a_fixed_hash() -> None:
    """Changes only together with a new codec or hash rule, which must leave old blocks readable."""
    assert block_hash(a_block(2), codec.plain(a_block(2).codec, a_block(2).payload)).hex() == FIXED


FIXED = "925fa186bb89086a2b1c0029fa4e12e8f51ca55360ff9a7c8c9a1f3159c2caa0"
