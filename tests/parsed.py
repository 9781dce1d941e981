"""Recorded payloads through a parser, each with the address it was fetched from where that is known."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from actors.feeds.base import Origin, Parsed
from actors.feeds.registry import load_parser

RECV = 1_800_000_000_000_000_000


@lru_cache(maxsize=1)
def manifest(shared_data: Path) -> dict[str, dict[str, Any]]:
    """Path of a recording -> what is known of it: `url`, `http_status`, `payload_type` ..."""
    return {row["path"]: row for row in json.loads((shared_data / "manifest.json").read_text())}


def parse(provider: str, body: str | bytes | object, endpoint: str = "", **told: Any) -> Parsed:
    """Of a line of a capture (`endpoint` given), else of a plain file."""
    text = body if isinstance(body, str | bytes) else json.dumps(body)
    source = told.pop("source", "http" if endpoint else "file")
    return load_parser(provider).parse(text, Origin(source, RECV, endpoint, **told))


def parse_recorded(shared_data: Path, provider: str, path: str, endpoint: str | None = None) -> Parsed:
    """A recording with its own address, or with the one that is given."""
    file = shared_data / path
    known = manifest(shared_data).get(path, {})
    where = endpoint or known.get("url") or ""
    source = "http" if where else "file"
    parser = load_parser(provider)
    origin = Origin(source, RECV, where or file.name, status=known.get("http_status") if where else None)
    return parser.parse(file.read_bytes(), origin)


def raw(shared_data: Path, path: str) -> Any:
    return json.loads((shared_data / path).read_text())


def classes(parsed: Parsed) -> list[str]:
    return [reject.reject_class for reject in parsed.rejects]


def said(parsed: Parsed) -> list[Any]:
    """Observations and facts together."""
    return [*parsed.observations, *parsed.facts]


def only(parsed: Parsed) -> Any:
    """The one thing that a payload says; nothing of it may be rejected."""
    assert not parsed.rejects, parsed.rejects
    (found,) = said(parsed)
    return found
