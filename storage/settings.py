"""How storage is reached and how long it may take. Read once, at the composition root."""

from __future__ import annotations

from msgspec import Struct

EMBEDDED_MARKET_PARTITIONS = 4
CLUSTER_MARKET_PARTITIONS = 64


class StorageSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """`dsn` empty means the embedded PostgreSQL under the data directory."""

    dsn: str = ""
    pool_min: int = 1
    """Opened at once, so that what is wrong is seen at once; later as many as are used."""
    pool_max: int = 4
    connect_timeout_s: float = 10.0
    append_timeout_s: float = 5.0
    """After it the outcome of an append is unknown; a claim waits as long for a row lock."""
    read_timeout_s: float = 15.0
    migrate_wait_s: float = 60.0
    """How long a start waits for another one's migration, and for locks on tables."""
    market_partitions: int = EMBEDDED_MARKET_PARTITIONS
    """Used when a database is created, and then fixed for its life."""
    allow_unsafe_durability: bool = False
    """Accept a server with fsync or synchronous_commit off: committed events may be lost there."""


class WriterSettings(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a writer tries to settle an append before it gives up and is reloaded."""

    deadline_s: float = 20.0
    max_attempts: int = 12
    first_delay_s: float = 0.05
    max_delay_s: float = 2.0
