"""Logs as one line per event: time, level, event name, key=value. Secrets never come here.

log = get_log("feed", provider="binance")
log.info("connected", endpoint=url)
"""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

_SECRET_KEY = re.compile(r"(?i)(token|secret|password|api_?key|authorization|dsn|ticket)")
_SECRET_IN_TEXT = re.compile(
    r"(?i)((?:token|apikey|api_key|access_key|key|secret|signature|password|ticket)=)[^&\s\"']+"
)
_USER_IN_URL = re.compile(r"(?<=://)[^/@\s]+@")
MAX_VALUE_LENGTH = 500


def redact(text: str) -> str:
    """Credentials in query strings and URLs replaced by ***."""
    return _USER_IN_URL.sub("***@", _SECRET_IN_TEXT.sub(r"\1***", text))


class Log:
    """A logger with bound context."""

    def __init__(self, name: str, context: dict[str, Any]) -> None:
        self._logger = logging.getLogger(f"financehub.{name}")
        self._context = context

    def bind(self, **context: Any) -> Log:
        return Log(self._logger.name.removeprefix("financehub."), {**self._context, **context})

    def debug(self, event: str, **fields: Any) -> None:
        self._write(logging.DEBUG, event, fields)

    def info(self, event: str, **fields: Any) -> None:
        self._write(logging.INFO, event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        self._write(logging.WARNING, event, fields)

    def error(self, event: str, *, exc_info: bool | BaseException = False, **fields: Any) -> None:
        self._write(logging.ERROR, event, fields, exc_info=exc_info)

    def _write(
        self, level: int, event: str, fields: dict[str, Any], *, exc_info: bool | BaseException = False
    ) -> None:
        if self._logger.isEnabledFor(level):
            self._logger.log(level, "%s", _line(event, {**self._context, **fields}), exc_info=exc_info)


def get_log(name: str, **context: Any) -> Log:
    return Log(name, context)


def configure(level: str = "INFO") -> None:
    """Once per process, to standard error."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s"))
    root = logging.getLogger("financehub")
    root.handlers[:] = [handler]
    root.setLevel(level)
    root.propagate = False


def _line(event: str, fields: dict[str, Any]) -> str:
    return " ".join([event, *(f"{key}={_value(key, value)}" for key, value in fields.items())])


def _value(key: str, value: Any) -> str:
    if _SECRET_KEY.search(key):
        return "***"
    text = redact(str(value))[:MAX_VALUE_LENGTH]
    return repr(text) if re.search(r"[\s\"'=]", text) or not text else text
