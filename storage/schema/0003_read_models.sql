-- For people and tools that speak SQL; both can be dropped and built again from the log.

-- One row per bar at its newest revision. Times are ns UTC; starts_at says the same for people.
-- source orders what may replace what: 1 rolled up from 1m bars, 2 built from trades over a gap,
-- 3 a provider's own bar, 4 built from trades.
CREATE TABLE bars (
    instrument text NOT NULL,
    "interval" text NOT NULL,
    ts_event   bigint NOT NULL,
    starts_at  timestamptz NOT NULL GENERATED ALWAYS AS (to_timestamp(ts_event / 1e9)) STORED,
    ts_recv    bigint NOT NULL,
    provider   text NOT NULL,
    open       double precision NOT NULL,
    high       double precision NOT NULL,
    low        double precision NOT NULL,
    close      double precision NOT NULL,
    volume     double precision NOT NULL,
    trades     bigint,
    vwap       double precision,
    closed     boolean NOT NULL,
    adjusted   boolean NOT NULL,
    revision   bigint NOT NULL,
    tainted    boolean NOT NULL,
    source     smallint NOT NULL,
    PRIMARY KEY (instrument, "interval", ts_event)
);

CREATE INDEX bars_open ON bars (instrument, "interval", ts_event) WHERE NOT closed;

-- One row per decision, gap, and event of a feed or a session.
CREATE TABLE events (
    partition   text NOT NULL,
    "offset"    bigint NOT NULL,
    kind        text NOT NULL,
    instrument  text,
    ts_event    bigint NOT NULL,
    recorded_at timestamptz NOT NULL,
    body        jsonb NOT NULL,
    PRIMARY KEY (partition, "offset", recorded_at)
);

CREATE INDEX events_by_instrument ON events (instrument, kind, ts_event);
