"""The bench itself at a tiny scale: rows have their shape. Speeds are never asserted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.bench import __main__ as bench
from tests.bench import appending, decode, folding, log_size
from tests.bench.frames import VENUES, Ladder, VenueFrames, binance_trades, kraken_checksum
from tests.bench.rows import TINY, Group, Row, quantile


@pytest.mark.parametrize("venue", list(VENUES))
def test_the_decode_figure_understands_every_frame_in_runs_and_one_by_one(venue: str) -> None:
    took_s, observations = decode.one_round(VENUES[venue](480))
    assert took_s > 0
    assert observations >= 480
    assert decode.one_round(VENUES[venue](480), 1)[1] == observations


def test_a_frame_that_is_not_understood_stops_the_decode_figure() -> None:
    made = VENUES["binance"](48)
    made.frames[20] = '{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","s":"BTCUSDT"}}'
    with pytest.raises(ValueError, match="rejects"):
        decode.one_round(made)


def test_the_decode_figure_has_a_row_for_all_and_one_for_each_venue(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "peer_python", lambda: None)
    rows = decode.group(TINY)
    assert [row.name for row in rows] == [
        "decode_vs_cryptofeed",
        "decode_vs_cryptofeed_single",
        *(f"decode_vs_cryptofeed_{v}" for v in VENUES),
    ]
    assert all(row.value > 0 and row.peer is None and row.ratio is None for row in rows)


def test_the_replay_figure_folds_the_whole_log() -> None:
    rows = folding.group(TINY)
    assert {row.name for row in rows} == {"replay_events_per_s", "replay_events_per_s_mixed"}
    assert all(row.value > 0 and row.n > 300 and row.unit == "events/s" for row in rows)


@pytest.mark.services
@pytest.mark.parametrize(("group", "count"), [(appending.group, 3), (log_size.group, 2)])
def test_figures_over_a_shard_have_positive_values(group: Group, count: int) -> None:
    rows = group(TINY)
    assert len(rows) == count
    assert all(row.value > 0 and row.n > 0 for row in rows)


def test_generated_frames_are_the_same_each_time_and_follow_each_other() -> None:
    assert VENUES["kraken"](96) == VENUES["kraken"](96)
    ids = [json.loads(frame)["data"]["a"] for frame in binance_trades(20, 1, start_ns=0)]
    assert ids == list(range(ids[0], ids[0] + 20))


def test_the_kraken_checksum_is_the_venues() -> None:
    """The guide "Book checksum (WebSocket v2)" of docs.kraken.com prints 3310070434 for this book."""
    ladder = Ladder.__new__(Ladder)
    guide = _guide_book()
    ladder.sides = guide
    assert kraken_checksum(ladder, lambda ticks: f"{ticks // 10}.{ticks % 10}") == 3310070434


def _guide_book() -> dict[str, dict[int, str]]:
    from tests.actors.feeds.kraken.frames import GUIDE_ASKS, GUIDE_BIDS, levels

    return {
        side: {int(price.replace(".", "")): size for price, size in levels(line)}
        for side, line in (("a", GUIDE_ASKS), ("b", GUIDE_BIDS))
    }


def test_every_figure_of_a_group_can_be_asked_for_by_name() -> None:
    assert bench.wanted_groups(["append_p99_ms_20k", "decode"]) == ["decode", "appending"]
    with pytest.raises(KeyError):
        bench.wanted_groups(["no_such_figure"])


def test_rows_of_other_figures_stay_when_one_is_measured_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "bench.json"
    file.write_text(
        json.dumps([{"name": "kept", "value": 1.0}, {"name": "replay_events_per_s", "value": 2.0}])
    )
    monkeypatch.setattr(
        bench, "measured", lambda group, scale: [Row("replay_events_per_s", 3.0, "events/s", 7)]
    )
    assert bench.main(["--only", "folding", "--out", str(file)]) == 0
    kept, measured = json.loads(file.read_text())
    assert kept == {"name": "kept", "value": 1.0}
    assert list(measured) == ["name", "value", "unit", "peer", "peer_value", "ratio", "n", "commit"]
    assert json.loads(capsys.readouterr().out) == [kept, measured]


def test_a_group_that_fails_is_told_by_the_exit_code(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "measured", lambda group, scale: None)
    assert bench.main(["--only", "folding", "--out", str(tmp_path / "bench.json")]) == 4


def test_a_ratio_is_ours_over_the_peers() -> None:
    row = Row("x", 30.0, "frames/s", 5, "peer", 10.0)
    assert row.ratio == 3.0
    assert bench.as_json(row)["peer_value"] == 10.0


def test_quantiles_are_by_nearest_rank() -> None:
    assert [quantile([4.0, 1.0, 3.0, 2.0], q) for q in (0.0, 0.5, 0.75, 1.0)] == [1.0, 2.0, 3.0, 4.0]
    with pytest.raises(ValueError, match="no samples"):
        quantile([], 0.5)


def test_made_venues_say_what_they_answer_to_book_requests() -> None:
    made: VenueFrames = VENUES["binance"](24)
    assert set(made.snapshots) == {name for _, _, name in made.symbols}
