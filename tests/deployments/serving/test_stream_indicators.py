"""The channel `indicators`: values derived from the bars, from the log and live."""

from __future__ import annotations

import asyncio

import pytest

from deployments.ws import indicators
from domain.clock import NS_PER_MIN, format_time
from domain.envelope import parse_cursor
from domain.errors import Unavailable
from domain.market.decisions import BarCorrected
from tests.deployments.serving.kit import BTC, ETH, START, a_bar, a_split, a_trade, check_chain
from tests.deployments.serving.log_directory import bar_row

pytestmark = pytest.mark.anyio


def minute(number: int, close: float, instrument: str = BTC):
    bar = a_bar(instrument, START + number * NS_PER_MIN)
    fields = {name: getattr(bar, name) for name in bar.__struct_fields__}
    return type(bar)(**fields | {"close": close, "high": close + 1})


def corrected(number: int, close: float, revision: int = 1):
    bar = minute(number, close)
    fields = {name: getattr(bar, name) for name in bar.__struct_fields__}
    return BarCorrected(**fields | {"revision": revision})


async def follow(client, spec: str, *instruments: str, **more):
    return await client.subscribe("indicators", *(instruments or (BTC,)), spec=spec, **more)


async def test_live_values_go_on_from_the_recorded_bars(serve, directory):
    directory.append(*(minute(number, float(number)) for number in range(4)))
    async with serve() as served, served.socket() as client:
        answer = await follow(client, "sma( 3 )")
        assert (answer["spec"], answer["interval"]) == ("sma(3)", "1m")
        offsets = directory.append(minute(4, 10.0), minute(5, 10.0), minute(5, 99.0, ETH))
        frames = await client.take("indicator", 2)
    assert [frame["value"] for frame in frames] == [5.0, pytest.approx(23 / 3)]
    assert [frame["offset"] for frame in frames] == offsets[:2]
    assert [frame["prev"] for frame in frames] == [None, offsets[0]]
    first = frames[0]
    assert (first["spec"], first["interval"], first["provisional"]) == ("sma(3)", "1m", False)
    assert first["ts_event"] == format_time(START + 4 * NS_PER_MIN) and "also" not in first


async def test_a_value_that_is_warming_up_is_null(serve, directory):
    directory.append(minute(0, 1.0))
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(3)")
        directory.append(minute(1, 2.0), minute(2, 3.0))
        assert [frame["value"] for frame in await client.take("indicator", 2)] == [None, 2.0]


async def test_a_correction_tells_the_bar_and_what_changed_with_it(serve, directory):
    directory.append(*(minute(number, 1.0) for number in range(6)))
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(2)")
        directory.append(corrected(3, 5.0))
        frame = await client.until("indicator")
    assert (frame["value"], frame["revision"]) == (3.0, 1)
    assert frame["also"] == [{"ts_event": format_time(START + 4 * NS_PER_MIN), "value": 3.0}]


async def test_two_specs_over_one_bar_have_chains_of_their_own(serve, directory):
    directory.append(minute(0, 1.0))
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(1)")
        await follow(client, "ema(1)")
        directory.append(minute(1, 2.0), minute(2, 3.0))
        frames = await client.take("indicator", 4)
    for spec in ("sma(1)", "ema(1)"):
        own = [frame for frame in frames if frame["spec"] == spec]
        assert [frame["value"] for frame in own] == [2.0, 3.0]
        check_chain(own)


async def test_a_cursor_resumes_from_the_log_without_a_seam(serve, directory):
    directory.append(*(minute(number, float(number)) for number in range(5)))
    cursor = directory.cursor().encode()
    before = len(directory.log[directory.partition_of(BTC)])
    missed = directory.append(minute(5, 50.0), a_trade(), corrected(4, 40.0), minute(6, 60.0))
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(2)", cursor=cursor)
        frames = await client.take("indicator", 3)
        live = directory.append(minute(7, 70.0))
        frames.append(await client.until("indicator"))
    assert [frame["offset"] for frame in frames] == [missed[0], missed[2], missed[3], live[0]]
    assert [frame["value"] for frame in frames] == [45.0, 21.5, 55.0, 65.0]
    check_chain(frames, first_prev=before)


async def test_a_reconnect_misses_nothing(serve, directory):
    """What one socket would have seen without a break, another sees over two."""
    directory.append(*(minute(number, float(number)) for number in range(3)))
    async with serve() as served, served.socket() as whole, served.socket() as first:
        await follow(whole, "ema(3)")
        await follow(first, "ema(3)")
        directory.append(minute(3, 7.0))
        seen = [await first.until("indicator")]
        cursor = (await first.until("cursor"))["cursor"]
        directory.append(minute(4, 9.0))
        async with served.socket() as second:
            await follow(second, "ema(3)", cursor=cursor)
            seen.append(await second.until("indicator"))
            directory.append(minute(5, 11.0))
            seen.append(await second.until("indicator"))
        assert seen == await whole.take("indicator", 3)


async def test_at_a_split_values_go_on_in_new_shares_and_older_ones_are_told_again(serve, directory):
    directory.append(*(minute(number, 8.0) for number in range(3)))
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(2)")
        directory.append(a_split(START + 4 * NS_PER_MIN), minute(3, 8.0))
        before = await client.until("indicator")
        directory.append(minute(4, 2.0), minute(5, 2.0))
        first, second = await client.take("indicator", 2)
    assert before["value"] == 8.0
    assert (first["value"], second["value"]) == (2.0, 2.0)
    again = {each["ts_event"]: each["value"] for each in first["also"]}
    assert again[format_time(START + 3 * NS_PER_MIN)] == 2.0
    assert "also" not in second
    check_chain([first, second], first_prev=before["offset"])


async def test_a_split_told_late_restates_what_was_told(serve, directory):
    directory.append(*(minute(number, 8.0) for number in range(3)), minute(3, 2.0))
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(2)")
        directory.append(minute(4, 2.0))
        assert (await client.until("indicator"))["value"] == 2.0
        directory.append(a_split(START + 3 * NS_PER_MIN), minute(5, 2.0))
        frame = await client.until("indicator")
    again = {each["ts_event"]: each["value"] for each in frame["also"]}
    assert again[format_time(START + 3 * NS_PER_MIN)] == 2.0  # it was 5.0 over two kinds of shares


async def test_an_announced_split_is_a_status(serve, directory):
    async with serve() as served, served.socket() as client:
        await client.subscribe("status", BTC)
        directory.append(a_split(START))
        frame = await client.until("status")
    assert (frame["state"], frame["reason"]) == ("split_announced", f"4:1 from {format_time(START)}")


async def test_forming_values_are_provisional(serve, directory):
    directory.append(minute(0, 1.0), minute(1, 2.0))
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(3)")
        await client.subscribe("trades", BTC)
        start = START + 2 * NS_PER_MIN
        directory.forming[(BTC, "1m")] = bar_row(minute(2, 6.0), closed=False)
        directory.append(a_trade(price=6.0, at=start))
        frame = await client.until(lambda each: each["type"] == "indicator")
    assert (frame["value"], frame["provisional"], frame["offset"]) == (3.0, True, None)


async def test_no_forming_bar_starves_behind_others_that_always_trade(serve, directory):
    directory.append(minute(0, 1.0), minute(0, 1.0, ETH))
    read, asked = directory.bars, []

    async def counted(name, *window):
        asked.append(name)
        return await read(name, *window)

    async with serve(forming_at_once=1) as served, served.socket() as client:
        await follow(client, "sma(1)", BTC, ETH)
        feeds = served.app.stream.indicators
        directory.append(minute(1, 2.0), minute(1, 2.0, ETH))
        await client.take("indicator", 2)
        directory.bars = counted
        for turn in range(4):
            await feeds.tell_forming(1e12 + 10 * turn, dict.fromkeys((BTC, ETH), START))
    assert sorted(asked) == [BTC, BTC, ETH, ETH]


async def test_unsubscribing_ends_one_spec_or_all(serve, directory):
    directory.append(minute(0, 1.0))
    async with serve() as served, served.socket() as client:
        for spec in ("sma(1)", "sma(2)", "sma(3)"):
            await follow(client, spec)
        await client.send(
            {"op": "unsubscribe", "channel": "indicators", "instruments": [BTC], "spec": "sma( 2 )"}
        )
        assert (await client.until("unsubscribed"))["instruments"] == [BTC]
        directory.append(minute(1, 2.0))
        assert {frame["spec"] for frame in await client.take("indicator", 2)} == {"sma(1)", "sma(3)"}
        await client.send({"op": "unsubscribe", "channel": "indicators"})
        assert (await client.until("unsubscribed"))["instruments"] == [BTC, BTC]


async def test_bars_that_close_while_a_figure_warms_up_are_told_after_it(serve, directory):
    """Also those that the warm-up has read already."""
    directory.append(minute(0, 1.0), minute(1, 2.0))
    warm_up, read = asyncio.Event(), directory.indicators

    async def slowly(asked, *, at=None):
        await warm_up.wait()
        return await read(asked, at=at)

    directory.indicators = slowly
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(2)")
        await client.subscribe("bars", BTC)
        offsets = directory.append(minute(2, 4.0), minute(3, 8.0))
        await client.take("bar", 2)
        warm_up.set()
        frames = await client.take("indicator", 2)
    assert [(frame["offset"], frame["value"]) for frame in frames] == [(offsets[0], 3.0), (offsets[1], 6.0)]


async def test_no_cursor_goes_beyond_values_that_wait_for_their_warm_up(serve, directory):
    directory.append(minute(0, 1.0))
    begun, warm_up, read = directory.cursor(), asyncio.Event(), directory.indicators

    async def slowly(asked, *, at=None):
        await warm_up.wait()
        return await read(asked, at=at)

    directory.indicators = slowly
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(1)")
        await client.subscribe("bars", BTC)
        directory.append(minute(1, 2.0))
        await client.until("bar")
        assert parse_cursor((await client.until("cursor"))["cursor"]) == begun
        warm_up.set()
        assert (await client.until("indicator"))["value"] == 2.0


async def test_a_figure_that_cannot_warm_up_ends_with_an_error(serve, directory):
    async def refused(asked, *, at=None):
        raise Unavailable("no reader")

    whole, directory.indicators = directory.indicators, refused
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(1)")
        error = await client.until("error")
        assert error["code"] == "unavailable" and "no reader" in error["message"]
        directory.indicators = whole
        await follow(client, "sma(1)")
        directory.append(minute(1, 2.0))
        assert (await client.until("indicator"))["value"] == 2.0


async def test_many_figures_warm_up_a_few_at_a_time(serve, directory):
    directory.append(minute(0, 1.0))
    read, running, most = directory.indicators, 0, 0

    async def counted(asked, *, at=None):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        return await read(asked, at=at)

    directory.indicators = counted
    specs = [f"sma({length})" for length in range(1, 3 * indicators.WARM_UPS.at_once + 1)]
    async with serve() as served, served.socket() as client:
        for spec in specs:
            await follow(client, spec)
        directory.append(minute(1, 2.0))
        frames = await client.take("indicator", len(specs))
    assert {frame["spec"] for frame in frames} == set(specs)
    assert most == indicators.WARM_UPS.at_once


async def test_a_warm_up_that_gets_no_turn_in_time_is_given_up(serve, directory, monkeypatch):
    monkeypatch.setattr(indicators, "WARM_UP_S", 0.01)

    async def never(asked, *, at=None):
        await asyncio.Event().wait()

    directory.indicators = never
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(1)")
        assert (await client.until("error"))["code"] == "unavailable"


async def test_who_unsubscribes_ends_the_reading_of_the_log(serve, directory, monkeypatch):
    monkeypatch.setattr(indicators, "EVENTS", 1)
    directory.append(minute(0, 1.0))
    cursor = directory.cursor().encode()
    directory.append(*(minute(number, 1.0) for number in range(1, 20)))
    read, reads, begun, go_on = directory.events, [], asyncio.Event(), asyncio.Event()

    async def slowly(name, kinds, after, until, limit):
        if limit == 1:
            reads.append(after)
            begun.set()
            await go_on.wait()
        return await read(name, kinds, after, until, limit)

    directory.events = slowly
    async with serve() as served, served.socket() as client:
        await follow(client, "sma(1)", cursor=cursor)
        await begun.wait()
        (session,) = served.app.stream.sessions
        await client.send({"op": "unsubscribe", "channel": "indicators"}, {"op": "ping"})
        await client.until("pong")
        go_on.set()
        while session.subscriptions.reading:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0)
    assert len(reads) == 1


async def test_figures_go_with_their_last_listener(serve, directory):
    directory.append(minute(0, 1.0))
    async with serve() as served:
        feeds = served.app.stream.indicators
        async with served.socket() as client:
            await follow(client, "sma(1)")
            directory.append(minute(1, 2.0))
            await client.until("indicator")
            assert len(feeds) == 1
            await client.send({"op": "unsubscribe", "channel": "indicators"}, {"op": "ping"})
            await client.until("pong")
            feeds.sweep()
            assert len(feeds) == 0


@pytest.mark.parametrize(
    ("op", "code", "said"),
    [
        ({"spec": "rsl(14)"}, "malformed", "did you mean 'rsi'"),
        ({}, "malformed", "an indicator's name"),
        ({"spec": "sma(5)", "interval": "1h"}, "unsupported_interval", "are not streamed"),
        ({"spec": "sma(5)@1h", "interval": "1m"}, "unsupported_interval", "over HTTP"),
        ({"spec": "sma(9000)"}, "malformed", "first value after"),
        ({"spec": "sma(5)", "instruments": ["*.SIM"]}, "malformed", "by name"),
    ],
)
async def test_what_cannot_be_streamed_is_said(serve, directory, op, code, said):
    async with serve() as served, served.socket() as client:
        await client.send({"op": "subscribe", "channel": "indicators", "instruments": [BTC]} | op)
        frame = await client.until("error")
    assert frame["code"] == code and said in frame["message"]


async def test_a_user_follows_a_bounded_number_of_figures_over_all_sockets(serve, directory):
    directory.append(minute(0, 1.0))
    asked = {"channel": "indicators", "instruments": [BTC]}
    async with serve(indicators_per_user=2) as served, served.socket() as one, served.socket() as two:
        await follow(one, "sma(1)")
        await follow(two, "sma(2)")
        await follow(two, "sma(1)")  # the same figure again costs nothing
        await two.send({"op": "subscribe", "id": 9, **asked, "spec": "sma(3)"})
        error = await two.until("error")
        assert (error["code"], error["id"]) == ("over_limit", 9) and "2 different" in error["message"]
        for client in (one, two):
            await client.send({"op": "unsubscribe", **asked, "spec": "sma(1)"})
            await client.until("unsubscribed")
        await follow(two, "sma(3)")
