"""The peer of the decode figure: cryptofeed on the same frames, in its own interpreter and environment.

    python cryptofeed_side.py FRAMES.json     `go` on stdin -> one round, CPU ns on stdout

Imports nothing of this project. Frames pass through cryptofeed's own `message_handler` (JSON, Decimals,
normalised objects, its order books, one callback each), without a network: symbols and book snapshots
are handed in.
"""

import asyncio
import gc
import json
import sys
import time
from pathlib import Path

from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.symbols import Symbols


class Snapshots:
    """Answers cryptofeed's book requests; stands in for its HTTP connection."""

    def __init__(self, bodies):
        self._bodies = bodies

    async def read(self, address):
        return self._bodies[address.split("symbol=")[1].split("&")[0]]


class Counter:
    def __init__(self):
        self.objects = 0

    async def __call__(self, item, receipt_timestamp):
        self.objects += 1


def feed_class(venue):
    if venue == "binance":
        from cryptofeed.exchanges.binance_us import BinanceUS

        return BinanceUS, {}
    if venue == "kraken":
        from cryptofeed.exchanges.kraken import Kraken

        return Kraken, {"max_depth": 10, "checksum_validation": True}
    from cryptofeed.exchanges.coinbase import Coinbase

    return Coinbase, {}


def make_feed(made, counter):
    kind, options = feed_class(made["venue"])
    pairs = {f"{base}-{quote}": name for base, quote, name in made["symbols"]}
    Symbols.set(kind.id, pairs, {"instrument_type": {}, "tick_size": {}})
    feed = kind(
        symbols=list(pairs),
        channels=[TRADES, TICKER, L2_BOOK],
        callbacks={TRADES: counter, TICKER: counter, L2_BOOK: counter},
        **options,
    )
    feed.http_conn = Snapshots(made["snapshots"])
    return feed


async def one_round(made):
    counter = Counter()
    feed = make_feed(made, counter)
    for frame in made["opening"]:
        await feed.message_handler(frame, None, time.time())
    opened = counter.objects
    gc.collect()
    gc.freeze()
    began = time.process_time_ns()
    for frame in made["frames"]:
        await feed.message_handler(frame, None, time.time())
    took = time.process_time_ns() - began
    gc.unfreeze()
    return took, counter.objects - opened


def main():
    made = json.loads(Path(sys.argv[1]).read_text())
    print("ready", flush=True)
    for _ in sys.stdin:
        print(*asyncio.run(one_round(made)), flush=True)


main()
