"""The live page at `/`: markup, style and script of our own, served as they are. Open: they hold no data."""

from __future__ import annotations

from pathlib import Path

from litestar import MediaType, Response, get

_FOLDER = Path(__file__).parent / "live"
_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cache-Control": "no-cache",
}


def _file(name: str, media_type: str) -> Response[str]:
    return Response((_FOLDER / name).read_text(encoding="utf-8"), media_type=media_type, headers=_HEADERS)


@get("/", opt={"open": True}, include_in_schema=False, sync_to_thread=False)
def live_page() -> Response[str]:
    """Watch list, bars, order book and trades; asks for a token first."""
    return _file("index.html", MediaType.HTML)


@get("/live.css", opt={"open": True}, include_in_schema=False, sync_to_thread=False)
def live_style() -> Response[str]:
    """Its style."""
    return _file("live.css", MediaType.CSS)


@get("/live.js", opt={"open": True}, include_in_schema=False, sync_to_thread=False)
def live_script() -> Response[str]:
    """Its script."""
    return _file("live.js", "text/javascript")


HANDLERS = [live_page, live_style, live_script]
