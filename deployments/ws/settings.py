"""Bounds of the stream. Every one is a ceiling for what one socket may cost the process."""

from __future__ import annotations

from msgspec import Struct

from deployments.fair_turns import TurnSettings
from deployments.wire.limits import MAX_MESSAGE_BYTES, MIN_BYTES_PER_S


class StreamSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """Times in seconds, sizes in bytes."""

    auth_deadline_s: float = 5.0
    """From the handshake to a valid credential."""
    max_waiting: int = 1_000
    waiting_per_address: int = 200
    """Sockets without a credential yet, in all and of one address; 0 for an address: as many as in all."""
    max_message_bytes: int = MAX_MESSAGE_BYTES
    messages_per_s: float = 50.0
    message_burst: int = 200
    """One user's, over all sockets of the gateway; a subscription costs more, see `rate.py`."""
    bad_frames_allowed: int = 10
    """Frames that cannot be understood, per socket, before it is closed with 4400."""
    max_subscriptions: int = 2_000
    """Instruments and patterns per socket."""
    patterns_per_user: int = 200
    """Patterns that one user's sockets follow in one gateway process: each is asked about each instrument."""
    indicators_per_user: int = 200
    """Different figures that one user's sockets follow in one gateway process, which computes each."""
    max_sockets: int = 5_000
    """Per gateway process; the quota per user is the ConnectionManager's."""

    outbox_frames: int = 20_000
    outbox_bytes: int = 8 * 1024 * 1024
    conflate_above_frames: int = 500
    conflate_above_bytes: int = 256 * 1024
    message_bytes: int = 256 * 1024
    """Frames are gathered into messages of about this size."""
    slow_close_s: float = 10.0
    """A socket that stays over its bound, or takes nothing, for so long is closed with 4408."""
    least_bytes_per_s: int = MIN_BYTES_PER_S
    """A socket that takes so much, or more, takes something. Below, each byte earns its share of a second: at
    half of this pace a socket is closed after twice `slow_close_s`."""

    cursor_every_s: float = 0.5
    expiring_before_s: float = 60.0
    tick_s: float = 0.25
    """Timers of all sockets run so often: cursors, expiry, slowness, forming bars."""
    close_s: float = 5.0
    """For a close frame to get out behind what is already written."""

    poll_wait_s: float = 1.0
    poll_linger_s: float = 0.002
    """Between two polls: lets frames gather while the sockets are written."""
    idle_stop_s: float = 30.0
    """Without any subscription for so long, polling stops."""

    resume_chunk: int = 2_000
    resume_bytes: int = 1024 * 1024
    """A socket's readers of the log stop where so much waits for its client."""
    resumes: TurnSettings = TurnSettings(at_once=2, per_user=1, waiting_per_user=1_000, wait_s=120.0)
    """Pages of the log that one gateway process reads at once, for all its sockets."""
    books_at_once: int = 4
    """Order books that one socket asks for at the same time."""
    book_depth: int = 10_000
    book_buffer: int = 5_000
    """Deltas kept while a snapshot is awaited."""
    forming_at_once: int = 64
