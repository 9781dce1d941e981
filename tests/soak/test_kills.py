"""A short run of the kills, and what makes a run count as failed."""

from __future__ import annotations

import json
from collections import Counter

import pytest

from tests.scenarios.follower import EVERY_CHANNEL, Follower
from tests.soak.kills import Outcome, main

SOUND = {"kills": Counter({"feed": 2}), "frames": 10, "reconnects": 1, "verdict": "ok"}


@pytest.mark.ray
@pytest.mark.timeout(400)
def test_clients_see_no_seam_through_half_a_minute_of_kills(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--minutes", "0.6", "--seed", "3"]) == 0
    said = capsys.readouterr().out
    assert "seams       0" in said and "verify      ok" in said


def test_a_sound_run_is_reported_in_five_lines() -> None:
    outcome = Outcome(**SOUND)
    assert outcome.ok
    assert outcome.lines() == [
        "kills       2: feed 2",
        "frames      10 followed",
        "reconnects  1",
        "seams       0",
        "verify      ok",
    ]


@pytest.mark.parametrize(
    "fault",
    [
        {"seams": ["trades of A.SIM: 12 follows 10, we have 11"]},
        {"verdict": json.dumps({"ok": False})},
        {"kills": Counter()},
        {"frames": 0},
    ],
    ids=lambda fault: next(iter(fault)),
)
def test_any_fault_fails_the_run_and_is_shown(fault: dict[str, object]) -> None:
    outcome = Outcome(**{**SOUND, **fault})
    assert not outcome.ok
    assert all(seam in "\n".join(outcome.lines()) for seam in outcome.seams)


def test_a_frame_that_does_not_follow_the_one_before_is_a_fault_on_every_channel() -> None:
    for kind in ("trade", "quote", "ticker", "pattern", "anomaly", "status", "indicator", "book"):
        follower = Follower("ws://127.0.0.1:1", "", EVERY_CHANNEL)
        frame = {"type": kind, "instrument": "A.SIM", "trade_id": "1", "ts_recv": 1, "bids": [], "asks": []}
        follower._take({**frame, "offset": 10, "prev": None})
        follower._take({**frame, "offset": 12, "prev": 10})
        assert (follower.frames, follower.faults) == (2, [])
        follower._take({**frame, "offset": 20, "prev": 15})
        assert len(follower.faults) == 1
