-- The log: one row per block, one head per partition, and what the database says about itself.

CREATE TABLE meta (
    name  text PRIMARY KEY,
    value text NOT NULL
);

CREATE TABLE log_heads (
    partition   text PRIMARY KEY,
    epoch       bigint NOT NULL,
    owner       text NOT NULL,
    head_offset bigint NOT NULL,
    head_hash   bytea NOT NULL,
    recorded_ns bigint NOT NULL,
    claimed_at  timestamptz NOT NULL DEFAULT now()
) WITH (fillfactor = 50);  -- heads move with every append: room for in-page (HOT) updates

-- A hypertable cannot hold a unique index without its time column, so recorded_at is part of the key.
-- Density and uniqueness of offsets come from the head row's compare-and-set, not from this index.
CREATE TABLE log_blocks (
    partition    text NOT NULL,
    first_offset bigint NOT NULL,
    last_offset  bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    recorded_ns  bigint NOT NULL,
    epoch        bigint NOT NULL,
    codec        smallint NOT NULL,
    event_count  integer NOT NULL,
    header       bytea NOT NULL,
    payload      bytea NOT NULL,
    prev_hash    bytea NOT NULL,
    hash         bytea NOT NULL,
    PRIMARY KEY (partition, first_offset, recorded_at),
    CHECK (event_count = last_offset - first_offset + 1 AND event_count > 0)
);

-- The payload is compressed already; PostgreSQL should not try again.
ALTER TABLE log_blocks ALTER COLUMN payload SET STORAGE EXTERNAL;

CREATE INDEX log_blocks_recorded ON log_blocks (partition, recorded_ns, first_offset);
