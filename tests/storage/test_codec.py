"""Bytes and back: exact, frozen for ever, and never readable as something else."""

from __future__ import annotations

import hashlib
import math
import random
from typing import get_args

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.access_events import AccessEvent, SessionSubscribed
from domain.envelope import Batch
from domain.errors import Corrupt, Malformed
from domain.feed_events import FeedEvent, FrameRejected
from domain.indicators.armed import Arming
from domain.market.decisions import Decision
from domain.market.observations import BookDelta, Observation, Quote, Trade
from storage import codec
from storage.columns import Unfit, column_of
from storage.forms import BY_TYPE, FORMS, by_code
from tests.builders import T0, a_trade
from tests.storage.any_event import any_events, events_of, values_of


def busy_trades(count: int) -> list[Trade]:
    """Two symbols of a busy venue: prices in ticks, sizes in lots, counting ids, millisecond times."""
    dice = random.Random(7)
    return [
        Trade(
            provider="binance",
            instrument=("BTC-USDT.BINANCE", "ETH-USDT.BINANCE")[n % 2],
            ts_event=T0 + n * 3_000_000,
            ts_recv=T0 + n * 3_000_000 + dice.randrange(900) * 1000,
            price=round(43_000 + dice.randrange(-500, 500) / 100, 2),
            size=dice.randrange(1, 99_999) / 100_000,
            side=dice.choice(("buy", "sell")),
            trade_id=str(3_000_000_000 + n),
        )
        for n in range(count)
    ]


def round_trip(events: list[object]) -> list[object]:
    number, payload = codec.encode_events(events)  # type: ignore[arg-type]
    return list(codec.decode_events(number, payload, len(events)))


def test_every_kind_of_event_has_a_form() -> None:
    kinds = {
        kind for union in (Observation, Decision, Arming, FeedEvent, AccessEvent) for kind in get_args(union)
    }
    assert kinds == set(BY_TYPE)


def test_no_field_of_an_event_hides_its_place_in_the_log() -> None:
    for form in FORMS:
        hidden = {"partition", "offset", "recorded_at", "kind"} & set(form.shape.__struct_fields__)
        assert not hidden, form.shape


def test_codes_never_change() -> None:
    assert {form.shape.__name__: form.code for form in FORMS} == {
        "Trade": 101,
        "SplitAnnounced": 1101,
        "Quote": 201,
        "Bar": 301,
        "BookSnapshot": 401,
        "BookDelta": 501,
        "BookOrder": 601,
        "Ticker": 701,
        "FxRate": 801,
        "InstrumentInfo": 901,
        "Gap": 1001,
        "BarClosed": 20001,
        "BarCorrected": 20101,
        "BookBroken": 20201,
        "BookRestored": 20301,
        "LargeTrade": 20401,
        "ClockSkewed": 20501,
        "LateTrade": 20601,
        "SourceChanged": 20701,
        "AnomalyFound": 20801,
        "PatternFound": 20901,
        "IndicatorArmed": 25001,
        "IndicatorDisarmed": 25101,
        "FeedStarted": 30001,
        "FeedConnected": 30101,
        "FeedLost": 30201,
        "FeedResynced": 30301,
        "FrameRejected": 30401,
        "FeedSilent": 30501,
        "SessionOpened": 40001,
        "SessionSubscribed": 40101,
        "SessionClosed": 40201,
        "AuditCut": 40301,
        "GatewaysListed": 40401,
    }


def test_a_code_cannot_be_given_twice() -> None:
    with pytest.raises(ValueError, match="twice"):
        by_code((*FORMS, FORMS[0]))


def test_payloads_written_today_stay_readable_for_ever() -> None:
    """Written by the first build: if this fails, a form changed without a new version."""
    few, many = busy_trades(2), busy_trades(100)
    assert codec.plain(*codec.encode_events(few)).hex() == FEW_TRADES
    assert hashlib.sha256(codec.plain(*codec.encode_events(many))).hexdigest() == MANY_TRADES_SHA256
    assert codec.decode_plain(bytes.fromhex(FEW_TRADES)) == few


@pytest.mark.parametrize("count", [1, 100])
def test_a_subscription_of_before_the_digests_keeps_its_names(count: int) -> None:
    row = ("s1", "ann", T0, "trades", ("BTC-USD.SIM", "*.SIM"))
    payload = msgspec.msgpack.encode((b"", [(40101, 5, [row] * count)], []))
    assert codec.decode_events(codec.ROWS, payload, count) == [SessionSubscribed(*row)] * count


FEW_TRADES = (
    "93c400919365099299a762696e616e6365b04254432d555344542e42494e414e4345cf18867251edfa0000cf18867251"
    "edff0cf8cb40e4ff9666666666cb3fc94f3775b81301a473656c6caa333030303030303030309099a762696e616e6365"
    "b04554482d555344542e42494e414e4345cf18867251ee27c6c0cf18867251ee31f050cb40e4fe6fae147ae1cb3fb84e"
    "a4a8c154caa3627579aa333030303030303030319090"
)
MANY_TRADES_SHA256 = "4e4cfed762660be8602d5203e3554a0e26a6e601a7d77429694a8c8db389e3e2"


@settings(max_examples=40, deadline=None)
@given(any_events(1, 40))
def test_small_blocks_come_back_exactly(events: list[object]) -> None:
    assert exact(round_trip(events)) == exact(events)


@settings(max_examples=40, deadline=None)
@given(any_events(64, 300))
def test_large_blocks_come_back_exactly_and_in_order(events: list[object]) -> None:
    assert exact(round_trip(events)) == exact(events)


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.shape.__name__)
def test_every_kind_fits_into_columns(form: codec.Form) -> None:
    @settings(max_examples=8, deadline=None)
    @given(st.lists(events_of(form), min_size=1, max_size=6))
    def proof(drawn: list[object]) -> None:
        events = (drawn * 100)[:100]
        number, payload = codec.encode_plain(events)  # type: ignore[arg-type]
        assert number == codec.COLUMNS
        assert exact(codec.decode_plain(payload)) == exact(events)

    proof()


@settings(max_examples=60, deadline=None)
@given(st.data(), st.sampled_from([int, float, bool, str, int | None, float | None, tuple[str, ...]]))
def test_columns_give_their_values_back(data: st.DataObject, kind: object) -> None:
    values = data.draw(st.lists(values_of(kind), min_size=1, max_size=50))
    column = column_of(kind)
    packed = msgspec.msgpack.decode(msgspec.msgpack.encode(column.pack(values)))
    assert list(map(repr, column.unpack(packed, len(values)))) == list(map(repr, values))


def exact(events: list[object]) -> bytes:
    """Bit by bit: tells -0.0 from 0.0."""
    return msgspec.msgpack.encode(events)


def test_nan_comes_back_from_rows_and_columns() -> None:
    for count in (1, 100):
        back = round_trip([a_trade(math.nan)] * count)
        assert all(math.isnan(trade.price) for trade in back)  # type: ignore[attr-defined]


@pytest.mark.parametrize("decimals", range(9))
def test_decimal_prices_are_stored_as_small_integers(decimals: int) -> None:
    dice = random.Random(decimals)
    prices = [float(f"{dice.uniform(1, 99_999):.{decimals}f}") for _ in range(500)]
    column = column_of(float)
    packed = column.pack(prices)
    assert packed[1][0] <= decimals
    assert column.unpack(packed, 500) == prices


def test_a_busy_block_takes_less_than_sixteen_bytes_a_trade() -> None:
    number, payload = codec.encode_events(busy_trades(1000))
    assert number == codec.COLUMNS | codec.ZSTD
    assert len(payload) < 16 * 1000


def test_integers_beyond_64_bits_go_as_rows_and_further_ones_are_refused() -> None:
    delta = BookDelta("sim", "A.SIM", T0, T0, (), (), sequence=(2**63, 2**64 - 1))
    assert codec.encode_plain([delta] * 100)[0] == codec.ROWS
    assert round_trip([delta] * 100) == [delta] * 100
    with pytest.raises(Malformed):
        codec.encode_events([BookDelta("sim", "A.SIM", T0, T0, (), (), sequence=(0, 2**64))])


@pytest.mark.parametrize("count", [1, 100])
def test_a_mistyped_field_is_refused_before_it_is_in_the_log(count: int) -> None:
    wrong = Quote("sim", "A.SIM", T0, T0, "1.5", 1.0, 2.0, 1.0)  # type: ignore[arg-type]
    with pytest.raises(Malformed):
        codec.encode_events([wrong] * count)


def test_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(Malformed):
        codec.encode_events([a_trade(1.0, trade_id="\ud800")])


def test_what_is_no_event_is_refused() -> None:
    with pytest.raises(Malformed):
        codec.encode_events([Batch("sim", 1, 1, T0, ())])  # type: ignore[list-item]


def test_an_unknown_form_or_codec_is_corrupt() -> None:
    foreign = msgspec.msgpack.encode((b"", [(99_901, 1, [("x",)])], []))
    for number in (codec.ROWS, codec.COLUMNS):
        with pytest.raises(Corrupt, match="99901"):
            codec.decode_events(number, foreign, 1)
    with pytest.raises(Corrupt, match="codec 7"):
        codec.decode_events(7, foreign, 1)


@pytest.mark.parametrize("count", [1, 100])
def test_damaged_payloads_are_corrupt(count: int) -> None:
    _, payload = codec.encode_plain(busy_trades(count))
    number, stored = codec.encode_events(busy_trades(count))
    for damaged in (payload[:-1], payload[1:], b"", b"\x93\xc4\x00\x90\x90x"):
        with pytest.raises(Corrupt):
            codec.decode_events(codec.ROWS, damaged, count)
    for damaged in (stored[:-3], b"no zstd"):
        with pytest.raises(Corrupt):
            codec.decode_events(codec.ZSTD | number, damaged, count)
    with pytest.raises(Corrupt, match="not 7"):
        codec.decode_events(number, stored, 7)


@pytest.mark.parametrize("count", [1, 100])
def test_fields_added_later_take_their_defaults(count: int) -> None:
    """A trade as a build without `conditions` and `trade_id` wrote it."""
    form = BY_TYPE[Trade]
    today = [a_trade(100.0 + n) for n in range(count)]
    if count == 1:
        rows = [form.values_of(trade)[:7] for trade in today]
        old = msgspec.msgpack.encode((b"", [(101, 7, rows)], []))
    else:
        fields = list(zip(*(form.values_of(trade)[:7] for trade in today), strict=True))
        columns = [column_of(kind).pack(values) for kind, values in zip(form.types, fields, strict=False)]
        old = msgspec.msgpack.encode((b"", [], [(101, 7, count, columns)]))
    assert codec.decode_events(codec.ROWS, old, count) == today


def test_fields_of_a_newer_build_are_corrupt() -> None:
    row = (*BY_TYPE[Trade].values_of(a_trade(1.0)), "new")
    newer = msgspec.msgpack.encode((b"", [(101, len(row), [row])], []))
    with pytest.raises(Corrupt, match="fields"):
        codec.decode_events(codec.ROWS, newer, 1)


@settings(max_examples=30, deadline=None)
@given(any_events(0, 60))
def test_batches_come_back_exactly(events: list[object]) -> None:
    batch = Batch("binance", 3, 17, T0, tuple(events))  # type: ignore[arg-type]
    back = codec.decode_batch(codec.encode_batch(batch))
    assert exact([back]) == exact([batch])
    assert [type(event) for event in back.events] == [type(event) for event in events]


def test_a_damaged_batch_is_malformed() -> None:
    data = codec.encode_batch(Batch("binance", 3, 17, T0, tuple(busy_trades(3))))
    unknown_form = data.replace(b"\x93\x65\x09", b"\x93\x66\x09")
    assert unknown_form != data
    for damaged in (data[:-2], b"", b"\x80", unknown_form):
        with pytest.raises(Malformed):
            codec.decode_batch(damaged)


def test_bytes_of_a_rejected_frame_survive_columns() -> None:
    frames = [FrameRejected("sim", T0, "malformed", "bad", bytes([n])) for n in range(100)]
    assert round_trip(list(frames)) == frames


def test_columns_refuse_values_of_another_type() -> None:
    for kind, values in ((int, [1.5]), (float, ["1"]), (bool, [1]), (int, [2**63])):
        with pytest.raises(Unfit):
            column_of(kind).pack(values)


def test_extreme_steps_between_integers_survive() -> None:
    column = column_of(int)
    values = [-(2**63), 2**63 - 1, 0, -1, 2**63 - 1, -(2**63)]
    assert column.unpack(column.pack(values), len(values)) == values
    assert np.array(values).dtype == np.int64
