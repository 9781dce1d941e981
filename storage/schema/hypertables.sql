-- Applied once, after the tables, where the server has TimescaleDB.

SELECT create_hypertable('log_blocks', by_range('recorded_at', INTERVAL '1 day'), create_default_indexes => false);
SELECT create_hypertable('events', by_range('recorded_at', INTERVAL '7 days'), create_default_indexes => false);
-- ts_event is in ns: 30 days.
SELECT create_hypertable('bars', by_range('ts_event', 2592000000000000), create_default_indexes => false);
