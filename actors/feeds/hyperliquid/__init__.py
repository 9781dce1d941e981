"""Hyperliquid (`wss://api.hyperliquid.xyz/ws`, POST `https://api.hyperliquid.xyz/info`): perpetuals and spot.

    parse.py   one frame or body -> observations and rejects
    wire.py    names of markets, numbers, intervals

Frames are `{channel, data}`. A body of `/info` looks like the data of a frame; what was asked for does not
stand in its address. All of it rests on the documentation; no recording was at hand.
"""

from __future__ import annotations

from actors.feeds.base import Parser
from actors.feeds.hyperliquid.parse import parse_payload
from actors.feeds.hyperliquid.wire import PROVIDER, VENUE
from actors.feeds.rest.adapter import RestParser


def adapter() -> Parser:
    return RestParser(PROVIDER, (VENUE,), parse_payload)
