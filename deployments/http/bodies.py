"""The one place where a request's body becomes values."""

from __future__ import annotations

from typing import Any

from litestar import Request
from litestar.exceptions import SerializationException

from domain.errors import Malformed


class BodyRequest(Request[Any, Any, Any]):
    """The request of every route."""

    async def json(self) -> Any:
        """Raises Malformed for whatever is no JSON, or nested too deeply to be meant."""
        try:
            return await super().json()
        except RecursionError:
            raise Malformed("the body is nested too deeply") from None
        except UnicodeDecodeError:
            raise Malformed("the body is not UTF-8") from None
        except SerializationException as error:
            raise Malformed(f"the body is no JSON: {error.detail}") from None
