-- When a clock that had been ahead was set right: between the last block before it went ahead and `recorded_ns`
-- a time names no place in the partition (actors/log_times.py).

CREATE TABLE log_clock_steps (
    partition   text NOT NULL,
    recorded_ns bigint NOT NULL,  -- at which recorded time stood still until it had come
    sealed_ns   bigint NOT NULL,  -- the writer's clock at the first block for which it did
    PRIMARY KEY (partition, recorded_ns)
);
