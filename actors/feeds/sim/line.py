"""One simulated instrument's moving parts."""

from __future__ import annotations

import random

from actors.feeds.sim.book import Ladder
from actors.feeds.sim.catalog import SimInstrument
from actors.feeds.sim.orders import RestingOrders
from actors.feeds.sim.views import Eye
from domain.market.observations import Side


class Line:
    """`orders` None: the book is spoken by level. `synced`: what was spoken of it continues.

    `gap_open`: a gap of the book has been told and not closed; `doubted`: a consumer lost its book.
    """

    def __init__(self, about: SimInstrument, rng: random.Random, price: float, first_id: int) -> None:
        self.about = about
        self.rng = rng
        self.mid = price
        self.regime = 1
        self.excitement = 0.0
        self.last_side: Side = "buy"
        self.trade_id = first_id
        self.ladder = Ladder(about, price, rng)
        self.orders: RestingOrders | None = None
        self.eyes: list[Eye] = []
        self.day_open = price
        self.day_high = self.day_low = price
        self.day_volume = 0.0
        self.halted = False
        self.synced = False
        self.gap_open = False
        self.doubted = False
        self.lost_from: int | None = None
        self.next_ticker = 0
        self.scale = 1.0

    def keep_orders(self, rng: random.Random, first_id: int) -> None:
        """From now on the book is spoken by order."""
        self.orders = RestingOrders(self.about, rng, first_id)
        self.orders.follow(*self.ladder.levels())
