"""What the recorded partitions have lived through; together every kind of event and every part of the state.

Each scene ends in a block, has small blocks (rows) and large ones (columns), compressed and not, and
snapshots at the ends of blocks, the last one at the end of its log. Seeded: the same build writes the same.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np

from domain.access_events import SessionClosed, SessionOpened, SessionSubscribed
from domain.clock import NS_PER_MIN, NS_PER_S
from domain.feed_events import FeedConnected, FeedLost, FeedResynced, FeedStarted, FrameRejected
from domain.indicators.armed import SENDER, IndicatorArmed, IndicatorDisarmed, WarmBar
from domain.keeper_state import PartitionSettings
from domain.market.observations import SplitAnnounced, Trade
from tests.builders import (
    T0,
    a_bar,
    a_delta,
    a_gap,
    a_quote,
    a_snapshot,
    a_ticker,
    a_trade,
    an_fx_rate,
    an_info,
    an_order,
    at,
)
from tests.patterns_set import NOISE, samples
from tests.recorded_forms.recording import Blocks, Recorded, Recording

BTC, ETH = "BTC-USD.SIM", "ETH-EUR.SIM"
A, B = "venue-a", "venue-b"


def trades_of_two_feeds() -> Recorded:
    """Ids dense, with holes, texts and none; late, skewed, large, backfilled ones; both feeds restarted."""
    to = Recording(PartitionSettings(intervals=("1s", "1m", "5m"), keep_bars=6))
    rng = random.Random(1)
    to.send(A, at(0), an_info(BTC, aliases=("XBT",), provider=A), an_info(ETH, quote="EUR", provider=A))
    to.send(A, at(0.5), *(a_trade(100.0, ts=at(0.1 * n), trade_id=n, provider=A) for n in range(1, 5)))
    to.cut()
    number = 5
    for second in range(1, 240):
        side = rng.choice(("buy", "sell", None))
        price = round(100.0 * math.exp(rng.gauss(0.0, 0.002)), 2)
        number += 1 + 3 * (second % 40 == 0)  # every 40 s ids are missing
        btc = a_trade(
            price, round(rng.random(), 3), ts=at(second + 0.2), trade_id=number, side=side, provider=A
        )
        ids = (None, f"t{second}", 1000 + second)[second % 3]
        eth = a_trade(
            20.5,
            round(rng.random(), 3),
            ts=at(second + 0.4),
            trade_id=ids,
            side=side,
            instrument=ETH,
            provider=B,
        )
        to.send(A, at(second + 0.5), btc)
        to.send(B, at(second + 0.5), eth)
    to.send(A, at(240), a_trade(100.0, 20_000.0, ts=at(239.9), trade_id=number + 1, provider=A))
    to.cut(snapshot=True)
    to.send(A, at(241), *(a_trade(99.0, ts=at(40 * n), trade_id=2 + 43 * n, provider=A) for n in range(1, 4)))
    to.send(A, at(242), a_trade(101.0, ts=at(300), trade_id=number + 2, provider=A))
    to.send(B, at(243), incarnation=2)
    to.send(B, at(244), a_trade(21.0, ts=at(243.5), trade_id=1300, instrument=ETH, provider=B))
    to.send(A, at(250), a_gap("trades", ts=at(249), first=400, last=410, provider=A))
    to.send(A, at(251), a_trade(100.5, ts=at(250.5), trade_id=411, provider=A))
    to.send(A, at(252), incarnation=3)
    to.send(A, at(320))
    to.send(A, at(321), a_trade(100.7, ts=at(320.5), trade_id=420, provider=A))
    to.cut(snapshot=True)
    return to.recorded()


def books() -> Recorded:
    """By level and by order: built, broken by a hole and by crossing, restored, cut to a depth, lost."""
    to = Recording()
    rng = random.Random(2)
    bids = [(99.0 - n, 1.0 + n) for n in range(20)]
    asks = [(101.0 + n, 1.0 + n) for n in range(20)]
    to.send(A, at(0), a_snapshot(bids, asks, sequence=10, provider=A))
    to.send(A, at(0), a_snapshot((), (), instrument=ETH, provider=A))
    orders = []
    for n in range(40):
        side, price = ("buy", 50.0 - n % 9) if n % 2 else ("sell", 51.0 + n % 9)
        orders.append(
            an_order("add", f"o{n}", side=side, price=price, size=1.0 + n, instrument=ETH, provider=A)
        )
    to.send(A, at(1), *orders)
    to.send(A, at(1.5), an_order("modify", "o3", price=47.0, size=9.5, instrument=ETH, provider=A))
    to.send(A, at(1.6), an_order("delete", "o5", price=45.0, size=0.0, instrument=ETH, provider=A))
    to.cut()
    for n in range(90):
        level = (99.0 - rng.randrange(20), rng.choice((0.0, 2.5, 7.25)))
        delta = a_delta([level], [(101.0 + rng.randrange(20), 3.0)], sequence=(11 + n, 11 + n), provider=A)
        to.send(A, at(2 + n / 50), delta)
    to.cut(snapshot=True)
    to.send(A, at(5), a_delta([(98.0, 1.0)], sequence=(150, 150), prev_sequence=149, provider=A))
    to.send(A, at(6), a_gap(ts=at(6), first=101, last=149, provider=A))
    to.send(A, at(7), a_snapshot(bids[:5], asks[:5], sequence=160, depth=4, ts=at(7), provider=A))
    to.send(A, at(7), a_gap(ts=at(7), opened=False, provider=A))
    to.send(A, at(8), a_delta([(99.5, 1.0)], sequence=(161, 161), ts=at(8), provider=A))
    crossing = an_order("add", "x", side="sell", price=40.0, ts=at(8), instrument=ETH, provider=A)
    to.send(A, at(9), crossing)
    to.cut(snapshot=True)
    return to.recorded()


def providers_meet() -> Recorded:
    """Quotes and tickers of two sources, one that takes over, provider bars, a rate, gaps that stay open."""
    to = Recording()
    rng = random.Random(4)
    price = 100.0
    for second in range(80):
        price *= math.exp(rng.gauss(0.0, 0.0005))
        quote = a_quote(price - 0.02, price + 0.02, bid_size=rng.random(), ts=at(second), provider=A)
        to.send(A, at(second), quote, a_trade(round(price, 2), ts=at(second), trade_id=second, provider=A))
        witness = a_quote(price - 0.01, price + 0.03, ts=at(second), provider=B)
        to.send(B, at(second), witness, a_ticker(price * 1.001, ts=at(second), provider=B))
    to.send(
        B, at(80), a_bar(100.0, ts=at(0), provider=B), a_bar(99.0, interval="1h", closed=False, provider=B)
    )
    to.send(B, at(80), an_fx_rate(1.09, ts=at(80), provider=B))
    to.cut(snapshot=True)
    to.send(A, at(81), a_gap("feed", reason="connection lost", ts=at(81), provider=A))
    for second in range(82, 190, 4):
        told = (a_quote(price, price + 0.01, ts=at(second), provider=B),)
        to.send(B, at(second), *told, a_trade(price, ts=at(second), trade_id=second, provider=B))
    to.send(B, at(191), a_gap("quotes", reason="never subscribed", ts=at(191), provider=B))
    to.cut(snapshot=True)
    return to.recorded()


def a_reference() -> Recorded:
    """Three feeds' samples of one reference; one falls silent, one repeats itself, one is far away."""
    to = Recording()
    name, feeds = "BTC-USD.CRYPTO", {"binance": 1.001, "coinbase": 1.0, "kraken": 0.9995}
    for second in range(150):
        price = 100.0 * (1.0 + (second * 7 % 5) / 10_000) * (1.02 if second > 140 else 1.0)
        for number, (feed, bias) in enumerate(feeds.items()):
            if feed == "kraken" and 90 < second < 140:
                continue
            told = price * bias if feed != "coinbase" or second < 100 else 100.02
            ticker = a_ticker(told, ts=at(second + number / 50), instrument=name, provider=feed)
            to.send(feed, at(second + number / 50), ticker)
        if second == 70:
            to.cut(snapshot=True)
    to.send("kraken", at(151), incarnation=2)
    to.send("coinbase", at(151), a_gap("feed", ts=at(151), instrument=name, provider="coinbase"))
    to.send("binance", at(152), a_ticker(0.0, ts=at(152), instrument=name, provider="binance"))
    to.cut(snapshot=True)
    return to.recorded()


def warm(count: int, spacing_s: int) -> tuple[WarmBar, ...]:
    """Bars that closed before T0."""
    rng = random.Random(count)
    closes = [100.0 + rng.gauss(0.0, 0.5) for _ in range(count)]
    return tuple(
        (T0 - (count - n) * spacing_s * NS_PER_S, close, close + 0.3, close - 0.3, close + 0.1, 2.0 + n % 5)
        for n, close in enumerate(closes)
    )


def armed_indicators() -> Recorded:
    """Figures of every family on three intervals, kept up over bars, corrected, some disarmed again."""
    to = Recording(PartitionSettings(keep_bars=30))
    specs = ("sma(3)", "ema(5)", "rsi(4)", "macd(3,5,2).signal", "bbands(4,2).upper", "atr(3)", "obv")
    to.arm(
        IndicatorArmed(SENDER, BTC, at(0), at(0), "1s", specs, bars=warm(40, 1)),
        IndicatorArmed(SENDER, BTC, at(0), at(0), "1m", ("ema(3)", "mfi(3)"), bars=warm(30, 60)),
        IndicatorArmed(SENDER, BTC, at(0), at(0), "5m", ("sma(2)",), bars=warm(20, 300)),
        IndicatorArmed(SENDER, ETH, at(0), at(0), "1s", ("willr(5)", "stoch(5,3,3).d"), bars=()),
        clock=at(0),
    )
    rng = random.Random(6)
    for second in range(200):
        for name, sender in ((BTC, A), (ETH, B)):
            trade = a_trade(
                round(100.0 + rng.gauss(0.0, 0.4), 2),
                1.0 + second % 3,
                ts=at(second + 0.3),
                trade_id=second,
                instrument=name,
                provider=sender,
            )
            to.send(sender, at(second + 0.6), trade)
        if second == 120:
            to.cut(snapshot=True)
    to.arm(IndicatorDisarmed(SENDER, BTC, at(200), at(200), "1s", ("obv", "atr(3)")), clock=at(200))
    to.send(A, at(200.5), a_trade(101.0, ts=at(190.7), trade_id=700, provider=A))  # corrects a bar
    to.send(A, at(202))
    to.cut(snapshot=True)
    return to.recorded()


def anomalies() -> Recorded:
    """A stream that leaves every warm-up; then a slip, a burst, crossed quotes, a halt, silence, a split."""
    to = Recording(PartitionSettings(keep_bars=10))
    rng = random.Random(7)
    price = 100.0
    split = SplitAnnounced(
        provider=A,
        instrument=BTC,
        ts_event=T0,
        ts_recv=T0,
        effective=at(190),
        split_from=1.0,
        split_to=4.0,
    )
    to.send(A, at(0), an_info(BTC, provider=A), split)
    for n in range(700):
        price *= math.exp(rng.gauss(0.0, 0.0002))
        shown = price * 10 if n in (500, 501) else price
        clock = at(n / 4)
        trade = a_trade(
            round(shown, 2), round(rng.random() + 0.5, 3), ts=clock, trade_id=n, side="buy", provider=A
        )
        quote = a_quote(round(price - 0.01, 2), round(price + 0.01, 2), ts=clock, provider=A)
        to.send(A, clock, quote if n % 3 == 0 else trade)
        if n == 520:
            to.cut(snapshot=True)
    to.send(A, at(176), *(a_trade(price, ts=at(175.5), trade_id=900 + n, provider=A) for n in range(60)))
    to.send(A, at(177), a_quote(101.0, 100.0, ts=at(177), provider=A), a_trade(0.0, ts=at(177), provider=A))
    to.send(A, at(178), a_gap("trading", reason="halted", ts=at(178), provider=A))
    for n in range(12):
        clock = at(188 + n)
        to.send(A, clock, a_trade(round(price / 4, 2), 4.0, ts=clock, trade_id=2000 + n, provider=A))
    to.send(A, at(320))
    to.cut(snapshot=True)
    return to.recorded()


def patterns() -> Recorded:
    """Two drawn figures one after the other in 1m bars of four trades: forming, confirmed and ended ones."""
    to = Recording(PartitionSettings(intervals=("1m",), keep_bars=20))
    figures = [
        next(samples(name, 1, NOISE["low"], 5)).bars for name in ("double_bottom", "ascending_triangle")
    ]
    scaled = [bars * (100.0 / bars[0, 0]) for bars in figures]
    rows = np.concatenate(scaled)
    for minute, row in enumerate(np.round(rows, 3).tolist()):
        start = T0 + minute * NS_PER_MIN
        drawn = [_print(price, start, part) for part, price in enumerate(row)]
        to.send(A, start + 45 * NS_PER_S, *drawn)
        if minute == len(scaled[0]):
            to.cut(snapshot=True)
    to.send(A, T0 + (len(rows) + 1) * NS_PER_MIN)
    to.cut(snapshot=True)
    return to.recorded()


def _print(price: float, start: int, part: int) -> Trade:
    return a_trade(price, 1.0 + part, ts=start + part * 10 * NS_PER_S, provider=A)


def clock_set_back() -> Recorded:
    """A feed whose clock was a day ahead, and comes back: what was dated ahead is no longer the newest."""
    to = Recording(PartitionSettings(keep_bars=8))
    day = 86_400
    for second in range(30):
        to.send(A, at(day + second), a_trade(100.0 + second, ts=at(second), trade_id=second, provider=A))
    to.send(A, at(day + 31), a_snapshot(ts=at(day + 31), provider=A), a_quote(ts=at(day + 31), provider=A))
    to.cut(snapshot=True)
    to.send(A, at(40), incarnation=2)
    for second in range(41, 60):
        to.send(A, at(second), a_trade(140.0 - second, ts=at(second), trade_id=second, provider=A))
    to.cut(snapshot=True)
    return to.recorded()


def provider() -> Recorded:
    """A feed's own partition."""
    to = Blocks("provider/venue-a")
    to.seal((), [FeedStarted(A, T0, 7, (BTC, ETH))], T0)
    lives = []
    for n in range(30):
        lives += [
            FeedConnected(A, at(n), n, f"wss://venue-a.example/ws/{n}"),
            FeedResynced(A, at(n), BTC, "book"),
        ]
        lives += [FeedLost(A, at(n + 0.5), n, "closed 1006")]
    to.seal((), lives, at(31))
    to.seal((), [FrameRejected(A, at(32), "malformed", "price is no number", b'{"p":"x"}\x00\xff')], at(32))
    return to.recorded()


def access() -> Recorded:
    """The audit of sessions."""
    to = Blocks("access/00")
    to.seal((), [SessionOpened("s0", "ann", "viewer", T0, "gateway-1", at(3600))], T0)
    events = []
    for n in range(30):
        events += [SessionOpened(f"s{n}", f"user{n % 4}", "trader", at(n), "gateway-2", at(900 + n))]
        events += [SessionSubscribed(f"s{n}", f"user{n % 4}", at(n), "trades", (BTC, "*.SIM"))]
        events += [SessionClosed(f"s{n}", f"user{n % 4}", at(n + 0.5), 1000, "bye")]
    to.seal((), events, at(31))
    return to.recorded()


SCENES: dict[str, Callable[[], Recorded]] = {
    scene.__name__: scene
    for scene in (
        trades_of_two_feeds,
        books,
        providers_meet,
        a_reference,
        armed_indicators,
        anomalies,
        patterns,
        clock_set_back,
        provider,
        access,
    )
}
