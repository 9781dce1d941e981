"""Fixtures that every test may use, the order of the run, and the bound on skipped tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
MAX_SKIPPED_IN_CI = 0
"""CI has everything that the tests need. Raise it only with a reason beside it."""
STAGES = ("slow", "services", "timescale", "ray", "browser")
UNMEASURED = {STAGES.index(name) + 1 for name in ("slow", "ray", "browser")}
"""Their work is done in other processes or a thousand times over: tracing it costs and tells nothing."""


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recorded payloads beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no recorded payloads: the folder shared/data beside the project is absent")
    return SHARED_DATA


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Fast tests first, then what needs more and more of a machine."""
    items.sort(key=_stage)
    for item in items:
        if _stage(item) in UNMEASURED:
            item.add_marker("no_cover")


def _stage(item: pytest.Item) -> int:
    marks = [index + 1 for index, name in enumerate(STAGES) if item.get_closest_marker(name)]
    return max(marks, default=0)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI too many skipped tests are a failure: they would prove nothing."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = len(reporter.stats.get("skipped", ())) if reporter is not None else 0
    if os.environ.get("CI") == "true" and skipped > MAX_SKIPPED_IN_CI and session.exitstatus == 0:
        print(f"\n{skipped} tests skipped, at most {MAX_SKIPPED_IN_CI} may")
        session.exitstatus = 1
