"""The live page is served without a token, whole, and needs nothing from outside."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

LIVE = Path(__file__).resolve().parents[3] / "deployments" / "http" / "live"


@pytest.mark.parametrize("name", ["index.html", "live.css", "live.js"])
def test_nothing_is_loaded_from_elsewhere(name: str) -> None:
    text = (LIVE / name).read_text()
    assert not re.search(r"(?:https?:)?//[a-z0-9.-]+\.[a-z]{2,}", text)


def test_every_element_that_the_script_names_exists() -> None:
    page, script = (LIVE / "index.html").read_text(), (LIVE / "live.js").read_text()
    named = set(re.findall(r'\$\("([a-z]+)"\)', script))
    assert named and named <= set(re.findall(r'id="([a-z]+)"', page))
