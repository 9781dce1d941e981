"""Secrets never come into a log line."""

from __future__ import annotations

import logging

import pytest

from observability.log import get_log, redact


@pytest.fixture(autouse=True)
def unconfigured(monkeypatch: pytest.MonkeyPatch) -> None:
    """As before `configure`, which a test may have called in this process."""
    root = logging.getLogger("financehub")
    monkeypatch.setattr(root, "propagate", True)
    monkeypatch.setattr(root, "handlers", [])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("wss://ws.finnhub.io?token=abc123", "wss://ws.finnhub.io?token=***"),
        ("https://x/y?symbol=A&apikey=s3cret&z=1", "https://x/y?symbol=A&apikey=***&z=1"),
        ("postgresql://user:pass@host/db", "postgresql://***@host/db"),
        ("https://x/y?symbol=AAPL", "https://x/y?symbol=AAPL"),
    ],
)
def test_credentials_in_urls_are_redacted(text: str, shown: str) -> None:
    assert redact(text) == shown


def test_a_line_has_event_context_and_fields(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="financehub"):
        get_log("feed", provider="sim").bind(connection=3).info("lost", reason="server closed it")
    assert caplog.messages == ["lost provider=sim connection=3 reason='server closed it'"]


def test_fields_named_like_secrets_are_hidden(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO", logger="financehub"):
        get_log("x").info("opened", api_key="abc", Authorization="Bearer abc", dsn="postgresql://u:p@h/d")
    assert "abc" not in caplog.text and "u:p" not in caplog.text
