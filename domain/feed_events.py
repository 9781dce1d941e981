"""Facts of a feed's own partition `provider/<name>`."""

from __future__ import annotations

from typing import ClassVar

from msgspec import Struct


class FeedStarted(Struct, frozen=True, gc=False):
    """A new incarnation of a feed: its number is the epoch of its claim."""

    kind: ClassVar[str] = "feed_started"
    provider: str
    ts_event: int
    incarnation: int
    instruments: tuple[str, ...]


class FeedConnected(Struct, frozen=True, gc=False):
    kind: ClassVar[str] = "feed_connected"
    provider: str
    ts_event: int
    connection: int
    endpoint: str


WHOLE_FEED = -1
"""Stands for the number of a connection where the feed itself failed, with all of them."""


class FeedLost(Struct, frozen=True, gc=False):
    kind: ClassVar[str] = "feed_lost"
    provider: str
    ts_event: int
    connection: int
    reason: str


class FeedResynced(Struct, frozen=True, gc=False):
    kind: ClassVar[str] = "feed_resynced"
    provider: str
    ts_event: int
    instrument: str
    channel: str


class FeedSilent(Struct, frozen=True, gc=False):
    """A kind of stream that was subscribed says nothing though its socket lives; `ended`: it speaks again.

    `silent_s`: since its last frame, or since the subscription where none has come.
    """

    kind: ClassVar[str] = "feed_silent"
    provider: str
    ts_event: int
    connection: int
    channel: str
    silent_s: float
    ended: bool = False


class FrameRejected(Struct, frozen=True, gc=False):
    """A frame that could not be used, kept (cut to 4 KiB) for the person who mends the adapter."""

    kind: ClassVar[str] = "frame_rejected"
    provider: str
    ts_event: int
    reject_class: str
    reason: str
    frame: bytes


FeedEvent = FeedStarted | FeedConnected | FeedLost | FeedResynced | FeedSilent | FrameRejected
