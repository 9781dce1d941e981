"""Coinbase WebSocket frames as documented."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from actors.feeds.base import Origin
from actors.feeds.coinbase import adapter
from domain.clock import parse_time
from domain.market.observations import BookDelta, BookSnapshot, InstrumentInfo, Quote, Ticker, Trade
from tests.actors.feeds.coinbase.frames import (
    HEARTBEAT,
    L2UPDATE,
    MATCH,
    PRODUCT,
    RECV,
    SNAPSHOT,
    SUBSCRIPTIONS,
    TICKER,
    WS,
    text,
    without,
)

COINBASE = adapter()


def parsed(frame: Any) -> list[Any]:
    answer = COINBASE.parse(text(frame), WS)
    assert answer.rejects == []
    return answer.observations


def rejected(payload: str | bytes, origin: Origin = WS) -> tuple[str, str]:
    answer = COINBASE.parse(payload, origin)
    assert answer.observations == []
    [reject] = answer.rejects
    return reject.reject_class, reject.reason


def test_the_sides_of_a_match_are_flipped_because_the_venue_names_the_maker() -> None:
    at = parse_time("2014-11-07T08:19:27.028459Z")
    expected = Trade("coinbase", "BTC-USD.COINBASE", at, RECV, 400.23, 5.23512, "buy", "10")
    assert parsed(MATCH) == [expected]
    assert parsed({**MATCH, "side": "buy"})[0].side == "sell"


def test_the_last_match_before_the_subscription_is_a_trade_too() -> None:
    assert parsed({**MATCH, "type": "last_match"}) == parsed(MATCH)


def test_a_snapshot_is_sorted_best_first_and_has_no_sequence() -> None:
    frame = {**SNAPSHOT, "bids": SNAPSHOT["bids"][::-1], "asks": [*SNAPSHOT["asks"][::-1], ["1", "0"]]}
    [book] = parsed(frame)
    assert book == BookSnapshot(
        "coinbase",
        "BTC-USD.COINBASE",
        RECV,
        RECV,
        ((10101.10, 0.45054140), (10101.0, 2.0)),
        ((10102.55, 0.57753524), (10103.0, 1.5)),
    )
    assert book.sequence is None and book.checksum is None


def test_an_update_keeps_deletions_and_the_order_of_changes() -> None:
    at = parse_time("2019-08-14T20:42:27.265Z")
    [delta] = parsed(L2UPDATE)
    assert delta == BookDelta(
        "coinbase", "BTC-USD.COINBASE", at, RECV, ((10101.8, 0.162567),), ((10102.55, 0.0),)
    )
    changes = [["buy", "1", "2"], ["buy", "1", "0"], ["buy", "1", "3"]]
    assert parsed({**L2UPDATE, "changes": changes})[0].bids == ((1.0, 2.0), (1.0, 0.0), (1.0, 3.0))


def test_a_ticker_is_a_quote_and_a_summary_of_24_hours() -> None:
    at = parse_time("2022-10-19T23:28:22.061769Z")
    common = ("coinbase", "ETH-USD.COINBASE", at, RECV)
    assert parsed(TICKER) == [
        Quote(*common, 1285.04, 0.46688654, 1285.27, 1.5663704),
        Ticker(*common, 1285.22, 1310.79, 1313.8, 1280.52, 245532.79269678),
    ]


def test_a_ticker_without_a_book_has_no_quote_and_no_invented_zero() -> None:
    [ticker] = parsed({**TICKER, "best_bid": "0", "best_ask": "0"})
    assert isinstance(ticker, Ticker)
    quote, _ = parsed({**TICKER, "best_ask": "0", "best_ask_size": "0"})
    assert (quote.bid, quote.ask, quote.ask_size) == (1285.04, None, None)


@pytest.mark.parametrize("frame", [HEARTBEAT, SUBSCRIPTIONS])
def test_heartbeats_and_acknowledgements_give_nothing(frame: Any) -> None:
    assert parsed(frame) == []


def test_the_status_channel_tells_of_instruments() -> None:
    products = [{**PRODUCT, "type": "spot"}, {**PRODUCT, "id": "OLD-USD", "status": "delisted"}]
    online, gone = parsed({"type": "status", "products": products, "currencies": []})
    assert isinstance(online, InstrumentInfo)
    assert (online.price_precision, online.size_precision, online.tick_size) == (2, 8, 0.01)
    assert (online.status, gone.status) == ("trading", "closed")


def test_numbers_are_read_from_text_and_from_numbers_alike() -> None:
    assert parsed({**MATCH, "price": 400.23, "size": 5.23512, "trade_id": "10"}) == parsed(MATCH)
    assert parsed({**SNAPSHOT, "bids": [[10101.10, 0.4505414], [10101, 2]]}) == parsed(SNAPSHOT)


def test_bytes_and_an_array_of_frames_are_read_like_a_frame() -> None:
    assert COINBASE.parse(text(MATCH).encode(), WS) == COINBASE.parse(text(MATCH), WS)
    both = COINBASE.parse(text([MATCH, without(MATCH, "price"), {**MATCH, "trade_id": 11}, HEARTBEAT]), WS)
    assert [each.trade_id for each in both.observations if isinstance(each, Trade)] == ["10", "11"]
    assert [each.reject_class for each in both.rejects] == ["malformed"]


def test_unknown_fields_are_ignored() -> None:
    assert parsed({**MATCH, "brand_new": {"a": [1, None]}}) == parsed(MATCH)


@pytest.mark.parametrize(
    ("frame", "field"),
    [
        *[(MATCH, each) for each in ("product_id", "trade_id", "side", "price", "size", "time")],
        *[(SNAPSHOT, each) for each in ("product_id", "bids", "asks")],
        *[(L2UPDATE, each) for each in ("product_id", "changes", "time")],
        *[(TICKER, each) for each in ("product_id", "price")],
        (HEARTBEAT, "last_trade_id"),
    ],
)
def test_a_missing_field_is_a_reject_that_names_it(frame: dict[str, Any], field: str) -> None:
    kind, reason = rejected(text(without(frame, field)))
    assert kind == "malformed"
    assert f"`{field}`" in reason


@pytest.mark.parametrize(
    "value", ['"nan"', '"inf"', '"-Infinity"', "-1", '"-0.5"', "1e999", '"1_0"', "[]", "true", "null"]
)
@pytest.mark.parametrize("field", ["price", "size"])
def test_nonsense_numbers_are_rejected(field: str, value: str) -> None:
    payload = text({**MATCH, field: "@"}).replace('"@"', value)
    kind, reason = rejected(payload)
    assert kind == "malformed"
    assert field in reason or "malformed" in reason.lower() or "range" in reason


def test_nonsense_levels_reject_the_update() -> None:
    for level in (["buy", "nan", "1"], ["buy", "1", "-1"], ["hold", "1", "1"], ["buy", "1"], "x"):
        assert rejected(text({**L2UPDATE, "changes": [level]}))[0] == "malformed"
    assert rejected(text({**SNAPSHOT, "bids": [["0", "1"]]}))[0] == "malformed"


@pytest.mark.parametrize("product", ["", "btc usd", "BTC/USD/X" * 20, "BTC-USD\n"])
def test_a_product_that_is_no_name_is_rejected(product: str) -> None:
    assert rejected(text({**MATCH, "product_id": product}))[0] == "malformed"


@pytest.mark.parametrize(
    ("message", "reason", "kind"),
    [
        ("Failed to subscribe", "BTC-XXX is not a valid product", "not_found"),
        ("Failed to subscribe", "level2, level3, and full channels now require authentication", "auth"),
        ("rate limit exceeded", "", "throttled"),
        ("ErrSlowConsume", "slow consume", "throttled"),
        ("Malformed JSON", "", "bad_request"),
        ("Internal server error", "", "upstream"),
        ("", "", "bad_request"),
    ],
)
def test_errors_of_the_venue_have_a_class(message: str, reason: str, kind: str) -> None:
    found, said = rejected(text({"type": "error", "message": message, "reason": reason}))
    assert found == kind
    assert message in said and reason in said


def test_a_type_that_we_do_not_know_is_unsupported() -> None:
    assert rejected(text({"type": "received", "product_id": "BTC-USD"})) == (
        "unsupported",
        "message type 'received'",
    )


@pytest.mark.parametrize(
    "payload",
    ["", " ", "{", "[", "null", "1", '"x"', b"\xff\xfe", '"\ud800"', "{}", b'{"a":' * 5000, "[" * 100_000],
)
def test_what_is_no_message_is_malformed(payload: str | bytes) -> None:
    kind, reason = rejected(payload)
    assert kind == "malformed"
    assert reason


def test_an_empty_array_says_nothing() -> None:
    assert COINBASE.parse("[]", WS) == COINBASE.parse(text(HEARTBEAT), WS)


FRAMES = [MATCH, SNAPSHOT, L2UPDATE, TICKER, HEARTBEAT, SUBSCRIPTIONS]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=8,
)


@given(st.sampled_from(FRAMES), st.data())
@settings(max_examples=150)
def test_a_frame_with_a_wrong_value_or_cut_short_never_raises(
    frame: dict[str, Any], data: st.DataObject
) -> None:
    field = data.draw(st.sampled_from(sorted(frame)))
    payload = text({**frame, field: data.draw(JSON)})
    cut = data.draw(st.integers(0, len(payload)))
    for each in (payload, payload[:cut], payload.encode()[:cut] + b"\xc3"):
        answer = COINBASE.parse(each, WS)
        assert answer.observations or answer.rejects or field not in ("price", "changes", "bids")


@given(st.binary(max_size=60) | st.text(max_size=60))
@settings(max_examples=150)
def test_noise_never_raises(noise: str | bytes) -> None:
    COINBASE.parse(noise, WS)
