-- What retention has dropped from the log, and how large what is left of it is.

-- Where the retained log of a partition begins; none where nothing was ever dropped. storage/anchors.py says
-- what is signed.
CREATE TABLE log_anchors (
    partition   text PRIMARY KEY,
    "offset"    bigint NOT NULL,  -- the last that was dropped
    hash        bytea NOT NULL,   -- of the block that ended there
    recorded_ns bigint NOT NULL,  -- when that block was recorded
    dropped_ns  bigint NOT NULL,
    key_id      text NOT NULL,
    signature   bytea NOT NULL
);

-- Runs of whole blocks, counted once: deleting frees room inside the files, whose size says nothing then.
CREATE TABLE log_slices (
    partition    text NOT NULL,
    first_offset bigint NOT NULL,
    last_offset  bigint NOT NULL,
    recorded_ns  bigint NOT NULL,  -- of the last block
    blocks       integer NOT NULL,
    bytes        bigint NOT NULL,
    PRIMARY KEY (partition, first_offset)
);

-- Room of dropped blocks is used again soon: by default a fifth of the table may lie waste.
ALTER TABLE log_blocks SET (autovacuum_vacuum_scale_factor = 0.02, toast.autovacuum_vacuum_scale_factor = 0.02);
