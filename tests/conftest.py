"""Fixtures that every test may use."""

from __future__ import annotations

from pathlib import Path

import pytest

SHARED_DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The recorded payloads beside the project."""
    if not SHARED_DATA.is_dir():
        pytest.skip("no recorded payloads: the folder shared/data beside the project is absent")
    return SHARED_DATA
