-- Folded states and how far projections have come.

CREATE TABLE snapshots (
    partition    text NOT NULL,
    "offset"     bigint NOT NULL,
    block_hash   bytea NOT NULL,
    fold_version integer NOT NULL,
    recorded_ns  bigint NOT NULL,
    state        bytea NOT NULL,
    PRIMARY KEY (partition, "offset")
);

ALTER TABLE snapshots ALTER COLUMN state SET STORAGE EXTERNAL;

CREATE TABLE checkpoints (
    projection text NOT NULL,
    partition  text NOT NULL,
    "offset"   bigint NOT NULL,
    version    bigint NOT NULL,
    moved_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (projection, partition)
);
