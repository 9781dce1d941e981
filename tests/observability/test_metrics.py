"""Declared instruments are recorded, collected and exposed; unknown ones are refused at once."""

from __future__ import annotations

import pytest

from observability.metrics import INSTRUMENTS, Telemetry
from observability.prometheus import exposed_name, render


@pytest.fixture
def telemetry() -> Telemetry:
    return Telemetry("test")


def exposition(telemetry: Telemetry) -> list[str]:
    return render(("p1", sample) for sample in telemetry.collect()).splitlines()


def test_counters_add_up_per_attributes(telemetry: Telemetry) -> None:
    telemetry.count("financehub.feed.frames", 3, provider="sim")
    telemetry.count("financehub.feed.frames", provider="sim")
    telemetry.count("financehub.feed.frames", provider="kraken")
    lines = exposition(telemetry)
    assert 'financehub_feed_frames_total{process="p1",provider="sim"} 4' in lines
    assert 'financehub_feed_frames_total{process="p1",provider="kraken"} 1' in lines


def test_gauges_show_the_newest_value(telemetry: Telemetry) -> None:
    telemetry.gauge("financehub.feed.buffered", 5, provider="sim")
    telemetry.gauge("financehub.feed.buffered", 2, provider="sim")
    assert 'financehub_feed_buffered{process="p1",provider="sim"} 2' in exposition(telemetry)


def test_histogram_buckets_are_cumulative_and_end_in_the_count(telemetry: Telemetry) -> None:
    for seconds in (0.0003, 0.003, 0.03, 30.0):
        telemetry.observe("financehub.shard.append", seconds)
    lines = exposition(telemetry)
    assert 'financehub_shard_append_seconds_bucket{le="0.0005",process="p1"} 1' in lines
    assert 'financehub_shard_append_seconds_bucket{le="0.005",process="p1"} 2' in lines
    assert 'financehub_shard_append_seconds_bucket{le="+Inf",process="p1"} 4' in lines
    assert 'financehub_shard_append_seconds_count{process="p1"} 4' in lines


def test_no_digit_is_lost_of_what_has_counted_far(telemetry: Telemetry) -> None:
    telemetry.count("financehub.feed.frames", 1_234_567_890_123, provider="sim")
    telemetry.observe("financehub.shard.append", 1_234_567.0)
    telemetry.observe("financehub.shard.append", 0.0625)
    telemetry.gauge("financehub.log.size", 20_000_000_001)
    lines = exposition(telemetry)
    assert 'financehub_feed_frames_total{process="p1",provider="sim"} 1234567890123' in lines
    assert 'financehub_shard_append_seconds_sum{process="p1"} 1234567.0625' in lines
    assert 'financehub_log_size{process="p1"} 20000000001' in lines


def test_label_values_are_escaped(telemetry: Telemetry) -> None:
    telemetry.count("financehub.feed.rejected", provider='a"b\\c\nd')
    assert 'provider="a\\"b\\\\c\\nd"' in "\n".join(exposition(telemetry))


def test_an_undeclared_name_is_refused(telemetry: Telemetry) -> None:
    with pytest.raises(KeyError):
        telemetry.count("financehub.feed.framez")


def test_nothing_recorded_gives_nothing_but_is_no_error() -> None:
    assert Telemetry("empty").collect() == []


def test_every_instrument_is_named_described_and_has_a_distinct_exposed_name() -> None:
    assert all(
        name.startswith("financehub.") and declared.description for name, declared in INSTRUMENTS.items()
    )
    assert len({exposed_name(name) for name in INSTRUMENTS}) == len(INSTRUMENTS)
