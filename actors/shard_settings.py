"""Settings of a keeper shard."""

from __future__ import annotations

from msgspec import Struct


class ShardSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`[shard]` in financehub.toml. Bounds are per shard, except `recent_events`: per partition."""

    linger_ms: float = 250.0
    """How long a block may grow while nobody polls; the projector reads the log and polls no shard.

    A block costs some 600 bytes beside its events. At 200 events/s over four partitions 20 ms make blocks of
    1.8 events. The price is that a feed, and who reads rows, learns of an event so much later.
    """
    linger_polled_ms: float = 1.0
    """The same while somebody polls or waits for a read."""
    linger_events: int = 1_000
    """So many pending events in a partition end the lingering: the block is large enough."""
    block_events: int = 5_000
    """Sealing, decoding or replaying a block of so many is one step of some 5 to 10 ms."""
    block_bytes: int = 4 << 20
    """The same bound for deep books, in bytes as they came from the feed."""
    intake_events: int = 200_000
    """Folded and not durable; over it batches are refused as `busy`."""
    intake_bytes: int = 64 << 20
    fold_slice_events: int = 1_000
    """About 2.5 ms of folding, after which others get a turn."""
    timer_slice: int = 100
    """Timers run in one step, some 5 ms: where more are due at once, others get a turn in between."""
    recent_events: int = 50_000
    recent_bytes: int = 128 << 20
    """Shared out evenly among the partitions held."""
    poll_events: int = 5_000
    poll_bytes: int = 8 << 20
    """About what one reply may weigh."""
    poll_max_wait_s: float = 30.0
    read_wait_s: float = 2.0
    """How long a read waits for its `after` cursor."""
    lease_s: float = 5.0
    snapshot_events: int = 100_000
    snapshot_min_s: float = 10.0
    """So far apart at least, however many events: what a replay saves must not cost more than it."""
    snapshot_s: float = 60.0
    """A partition is snapshot after so many events, or after so long with at least one."""
    recover_backoff_s: float = 0.05
    recover_backoff_cap_s: float = 5.0
