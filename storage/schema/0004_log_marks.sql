-- The first block of each UTC day in each partition: from an offset to its time. The log is cut into chunks
-- by time and read by offset; with a time beside the offset a read opens one or two chunks, not all.

CREATE TABLE log_marks (
    partition    text NOT NULL,
    first_offset bigint NOT NULL,
    recorded_at  timestamptz NOT NULL,
    PRIMARY KEY (partition, first_offset)
);

INSERT INTO log_marks (partition, first_offset, recorded_at)
SELECT DISTINCT ON (partition, recorded_ns / 86400000000000) partition, first_offset, recorded_at
FROM log_blocks ORDER BY partition, recorded_ns / 86400000000000, first_offset;
