"""The stream over real sockets: operations, channels, chains."""

from __future__ import annotations

import pytest

from domain.clock import NS_PER_S, parse_time
from domain.market.decisions import BarCorrected
from domain.market.observations import Bar
from tests.deployments.serving.kit import (
    BTC,
    ETH,
    START,
    a_bar,
    a_quote,
    a_snapshot,
    a_ticker,
    a_trade,
    check_chain,
)

pytestmark = pytest.mark.anyio


async def test_welcome_names_session_expiry_and_limits(serve):
    async with serve() as served, served.socket() as client:
        welcome = await client.next()
        assert welcome["type"] == "welcome"
        assert welcome["session"] in served.directory.sessions
        assert parse_time(welcome["expires"]) == START + 3600 * NS_PER_S
        assert welcome["limits"]["message_bytes"] == 64 * 1024


async def test_trades_arrive_with_all_fields_and_a_chain(serve, directory):
    async with serve() as served, served.socket() as client:
        answer = await client.subscribe("trades", BTC, id="t1")
        assert answer["id"] == "t1"
        assert answer["instruments"] == [BTC]
        assert answer["rejected"] == []
        assert answer["cursor"].startswith("c1.")
        directory.append(a_trade(price=1.0), a_trade(ETH, 5.0), a_trade(price=2.0), a_trade(price=3.0))
        frames = await client.take("trade", 3)
        assert [frame["price"] for frame in frames] == [1.0, 2.0, 3.0]
        assert frames[0]["prev"] is None
        check_chain(frames)
        assert frames[0]["ts_event"] == "2027-01-15T08:00:00Z"
        assert frames[0]["ts_recv"] == "2027-01-15T08:00:00.001Z"
        assert {"provider", "size", "side", "trade_id", "conditions", "recorded_at"} <= frames[0].keys()


async def test_two_sockets_share_a_chain_but_each_begins_with_null(serve, directory):
    async with serve() as served, served.socket() as early, served.socket() as late:
        await early.subscribe("trades", BTC)
        directory.append(a_trade())
        await early.until("trade")
        await late.subscribe("trades", BTC)
        first, second = directory.append(a_trade(), a_trade())
        frames = await late.take("trade", 2)
        assert [(frame["offset"], frame["prev"]) for frame in frames] == [(first, None), (second, first)]
        check_chain([early.of("trade")[0], *await early.take("trade", 2)])


async def test_msgpack_carries_integer_nanoseconds(serve, directory):
    async with serve() as served, served.socket(subprotocol="msgpack") as client:
        assert client.connection.subprotocol == "msgpack"
        welcome = await client.next()
        assert welcome["expires"] == START + 3600 * NS_PER_S
        await client.subscribe("trades", BTC)
        directory.append(a_trade(price=7.5))
        frame = await client.until("trade")
        assert (frame["price"], frame["ts_event"]) == (7.5, START)


async def test_each_channel_carries_its_own_kind(serve, directory):
    async with serve() as served, served.socket() as client:
        for channel in ("trades", "quotes", "ticker", "bars"):
            await client.subscribe(channel, BTC)
        directory.append(a_quote(), a_ticker(), a_bar(), a_trade())
        await client.until("trade")
        assert [frame["type"] for frame in client.of("quote", "ticker", "bar", "trade")] == [
            "quote",
            "ticker",
            "bar",
            "trade",
        ]


async def test_bars_come_closed_with_their_revision_and_only_of_the_interval(serve, directory):
    async with serve() as served, served.socket() as client:
        answer = await client.subscribe("bars", BTC, interval="1m")
        assert answer["interval"] == "1m"
        bar = a_bar()
        corrected = BarCorrected(
            **{name: getattr(bar, name) for name in bar.__struct_fields__} | {"revision": 1}
        )
        directory.append(a_bar(interval="1s"), bar, corrected)
        frames = await client.take("bar", 2)
        assert [frame["revision"] for frame in frames] == [0, 1]
        assert all(frame["closed"] and not frame["provisional"] for frame in frames)
        check_chain(frames)


async def test_a_forming_bar_is_provisional_and_outside_the_chain(serve, directory):
    from tests.deployments.serving.log_directory import bar_row

    async with serve() as served, served.socket() as client:
        await client.subscribe("bars", BTC, interval="1m")
        directory.forming[(BTC, "1m")] = bar_row(a_bar(start=START), closed=False)
        directory.append(a_trade(at=START + NS_PER_S))
        frame = await client.until("bar")
        assert (frame["closed"], frame["provisional"], frame["offset"], frame["prev"]) == (
            False,
            True,
            None,
            None,
        )
        directory.append(a_bar(start=START))
        closed = await client.until(lambda frame: frame["type"] == "bar" and frame["closed"])
        assert closed["prev"] is None


async def test_a_forming_bar_of_the_provider_is_not_an_event_of_the_chain(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("bars", BTC)
        values = {
            "provider": "sim",
            "instrument": BTC,
            "ts_recv": START,
            "interval": "1m",
            "open": 1.0,
            "high": 1.0,
            "low": 1.0,
        }
        directory.append(
            Bar(ts_event=START, close=1.0, volume=1.0, closed=False, **values),
            Bar(ts_event=START, close=2.0, volume=2.0, closed=True, adjusted=True, **values),
        )
        frame = await client.until("bar")
        assert (frame["close"], frame["closed"], frame["adjusted"], frame["prev"]) == (2.0, True, True, None)


async def test_an_alias_is_taken_where_exactly_one_instrument_fits(serve, directory):
    directory.introduce("BTC-EUR.OTHER", base="BTC")
    async with serve() as served, served.socket() as client:
        answer = await client.subscribe("trades", "ETH", "BTC", "NOPE-X.SIM")
        assert answer["instruments"] == [ETH]
        refused = {item["instrument"]: item for item in answer["rejected"]}
        assert refused["BTC"]["code"] == "ambiguous"
        assert refused["BTC"]["candidates"] == ["BTC-EUR.OTHER", BTC]
        assert refused["NOPE-X.SIM"]["code"] == "not_found"


async def test_a_pattern_takes_in_instruments_that_appear_later(serve, directory):
    async with serve() as served, served.socket() as client:
        answer = await client.subscribe("trades", "*.SIM")
        assert answer["instruments"] == ["*.SIM"]
        directory.append(
            a_trade(BTC), a_trade("NEW-USD.SIM"), a_trade("NEW-USD.ELSE"), a_trade("NEW-USD.SIM")
        )
        frames = await client.take("trade", 3)
        assert sorted(frame["instrument"] for frame in frames) == [BTC, "NEW-USD.SIM", "NEW-USD.SIM"]
        check_chain(frames)


async def test_a_pattern_and_an_id_do_not_double_frames(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("trades", BTC)
        await client.subscribe("trades", "*.SIM")
        directory.append(a_trade(price=1.0), a_trade(price=2.0))
        await client.until(lambda frame: frame["type"] == "trade" and frame["price"] == 2.0)
        assert len(client.of("trade")) == 2


async def test_unsubscribing_ends_the_frames(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("trades", BTC, ETH)
        await client.send({"op": "unsubscribe", "id": 9, "channel": "trades", "instruments": ["BTC"]})
        answer = await client.until("unsubscribed")
        assert (answer["id"], answer["instruments"]) == (9, [BTC])
        directory.append(a_trade(BTC), a_trade(ETH))
        assert (await client.until("trade"))["instrument"] == ETH


async def test_ping_is_answered_with_its_id_and_an_array_of_frames_is_understood(serve):
    async with serve() as served, served.socket() as client:
        await client.send({"op": "ping", "id": 1}, {"op": "ping", "id": "two"})
        assert [frame["id"] for frame in await client.take("pong", 2)] == [1, "two"]


async def test_a_channel_not_served_yet_is_an_error_with_a_code(serve):
    async with serve() as served, served.socket() as client:
        for channel in ("news", "alerts", "portfolio", "x"):
            await client.send({"op": "subscribe", "id": 4, "channel": channel, "instruments": [BTC]})
            error = await client.until("error")
            assert (error["id"], error["code"]) == (4, "unsupported_channel"), channel


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"channel": "bars", "interval": "7m"}, "unsupported_interval"),
        ({"channel": "bars", "interval": ""}, "unsupported_interval"),
        ({"channel": "book", "depth": 0}, "malformed"),
        ({"channel": "trades", "cursor": "c1.!!"}, "malformed"),
        ({"channel": "trades", "cursor": "yesterday"}, "malformed"),
        ({"channel": "trades", "instruments": []}, "malformed"),
        ({"channel": "trades", "instruments": ["****.*"]}, "malformed"),
        ({"channel": "trades", "instrument": BTC}, "bad_frame"),
    ],
)
async def test_a_subscription_that_cannot_be_carried_out_is_refused(serve, more, code):
    async with serve() as served, served.socket() as client:
        await client.send({"op": "subscribe", "id": 4, "instruments": [BTC], **more})
        error = await client.until("error")
        assert (error["id"], error["code"]) == (4, code)


async def test_a_cursor_follows_the_frames(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("trades", BTC)
        directory.append(a_trade(), a_trade())
        await client.take("trade", 2)
        cursor = await client.until(
            lambda f: f["type"] == "cursor" and f["cursor"] == directory.cursor().encode()
        )
        assert cursor["cursor"] == directory.cursor().encode()


async def test_the_depth_a_venue_keeps_is_told_with_the_snapshot(serve, directory):
    directory.append(a_snapshot(depth=10))
    async with serve() as served, served.socket() as client:
        await client.subscribe("book", BTC)
        assert (await client.until("book_snapshot"))["depth"] == 10


@pytest.mark.parametrize(
    ("name", "channel"),
    [
        ("price", "ticker"),
        ("ticker", "ticker"),
        ("orderbook", "book"),
        ("trades", "trades"),
        ("trades/", "trades"),
    ],
)
async def test_the_short_form_subscribes_by_itself(serve, directory, name, channel):
    directory.append(a_snapshot())
    async with serve() as served, served.socket(f"/ws/market/BTC/{name}") as client:
        assert (await client.next())["type"] == "welcome"
        answer = await client.until("subscribed")
        assert (answer["channel"], answer["instruments"]) == (channel, [BTC])
        directory.append(a_trade(), a_ticker())
        kind = {"ticker": "ticker", "book": "book_snapshot", "trades": "trade"}[channel]
        assert (await client.until(kind))["instrument"] == BTC


@pytest.mark.parametrize("path", ["/ws/market/NOPE/trades", "/ws/market/BTC/candles", "/v1/streams", "/ws"])
async def test_a_wrong_stream_path_closes_with_4400(serve, path):
    async with serve() as served, served.socket(path) as client:
        code, reason = await client.closed()
        assert code == 4400
        assert reason
