"""The docs page: one HTML text rendered from the OpenAPI schema. No script, no font, nothing fetched."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import escape
from typing import Any

from deployments.http.problems import TABLE
from deployments.problem import FRAMEWORK, INTERNAL, Row

_CODE = re.compile(r"`([^`]+)`")
STYLE = """
:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #0a7d5a; --warn: #b45309; }
* { box-sizing: border-box; }
body { font: 15px/1.55 system-ui, sans-serif; margin: 0; display: grid; grid-template-columns: 16rem 1fr; }
nav { position: sticky; top: 0; height: 100vh; overflow: auto; padding: 1.5rem 1rem;
  border-right: 1px solid var(--line); }
nav h2 { font-size: .75rem; text-transform: uppercase; margin: 1.4rem 0 .3rem; opacity: .7; }
nav a { display: block; padding: .15rem 0; color: inherit; text-decoration: none; }
nav a:hover, nav a:focus-visible { text-decoration: underline; }
main { padding: 1.5rem 2.5rem 4rem; max-width: 62rem; min-width: 0; }
section { border-top: 1px solid var(--line); padding: 1.2rem 0; }
h1 { margin: 0 0 .3rem; } h2 { margin: 2.2rem 0 .6rem; } h3 { margin: 0 0 .3rem; font-size: 1rem; }
code, pre { font: 13px/1.5 ui-monospace, monospace; }
pre { background: var(--soft); padding: .7rem .9rem; border-radius: 6px; overflow-x: auto; }
table { border-collapse: collapse; width: 100%; margin: .6rem 0; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; vertical-align: top;
  border-bottom: 1px solid var(--line); }
.method { color: #fff; background: var(--accent); border-radius: 4px; padding: .1rem .45rem;
  font-size: .75rem; margin-right: .5rem; }
.method.post { background: var(--warn); }
.open { border: 1px solid var(--line); border-radius: 4px; padding: .05rem .4rem;
  font-size: .75rem; margin-left: .5rem; }
@media (max-width: 50rem) {
  body { display: block; } main { padding: 1rem; }
  nav { position: static; height: auto; border: 0; }
}
"""

SAMPLES = {
    "instrument": "BTC-USD.SIM",
    "interval": "1m",
    "from": "now-15m",
    "depth": "10",
    "limit": "5",
    "q": "BTC",
}
"""Values of the curl examples."""


def page(schema: dict[str, Any]) -> str:
    """The whole page."""
    groups = _grouped(schema)
    title = escape(schema["info"]["title"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title} API</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<style>{STYLE}</style></head><body>{_navigation(groups)}<main><h1>{title} API</h1>"
        f"<p>{escape(schema['info']['description'])}</p>{_START}"
        + "".join(_group(schema, name, operations) for name, operations in groups.items())
        + _problems()
        + "</main></body></html>\n"
    )


_START = """<h2 id="start">First steps</h2>
<p>Every route but <code>/healthz</code>, <code>/readyz</code>, <code>/docs</code> and
<code>/openapi.json</code> needs a token:</p>
<pre>TOKEN=$(financehub token --role viewer --ttl 1h)
curl -H "Authorization: Bearer $TOKEN" http://127.0.0.1:8000/v1/instruments</pre>
<p>Live data come over a WebSocket: <code>/v1/stream</code>, or the short form
<code>/ws/market/{symbol}/{price|orderbook|trades|ticker}</code>. Authenticate with the same header, with
<code>{"op":"auth","token":"…"}</code> as the first message, or with <code>?ticket=…</code> from
<code>POST /v1/tickets</code>.</p>
<pre>{"op":"subscribe","id":1,"channel":"trades","instruments":["BTC-USD.SIM","*.BINANCE"]}</pre>
"""

Operation = tuple[str, str, dict[str, Any]]


def _grouped(schema: dict[str, Any]) -> dict[str, list[Operation]]:
    """Tag -> (method, path, operation), in the order of the schema."""
    groups: dict[str, list[Operation]] = {}
    for method, path, operation in _operations(schema):
        groups.setdefault(operation.get("tags", ["Other"])[0], []).append((method, path, operation))
    return dict(sorted(groups.items()))


def _operations(schema: dict[str, Any]) -> Iterator[Operation]:
    for path, item in schema["paths"].items():
        for method, operation in item.items():
            yield method, path, operation


def _anchor(method: str, path: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", f"{method} {path}".lower()).strip("-")


def _navigation(groups: dict[str, list[Operation]]) -> str:
    parts = ['<nav><a href="#start"><strong>First steps</strong></a>']
    for name, operations in groups.items():
        parts.append(f"<h2>{escape(name)}</h2>")
        parts += [
            f'<a href="#{_anchor(method, path)}">{escape(operation.get("summary", path))}</a>'
            for method, path, operation in operations
        ]
    return "".join([*parts, '<h2>Errors</h2><a href="#problems">Problems</a></nav>'])


def _group(schema: dict[str, Any], name: str, operations: list[Operation]) -> str:
    inside = "".join(_operation(schema, *operation) for operation in operations)
    return f"<h2>{escape(name)}</h2>{inside}"


def _operation(schema: dict[str, Any], method: str, path: str, operation: dict[str, Any]) -> str:
    is_open = operation.get("security") == []
    badge = '<span class="open">no token needed</span>' if is_open else ""
    return (
        f'<section id="{_anchor(method, path)}"><h3><span class="method {method}">{method.upper()}</span>'
        f"<code>{escape(path)}</code>{badge}</h3>"
        f"<p>{_text(operation.get('description', operation.get('summary', '')))}</p>"
        f"{_parameters(operation.get('parameters', []))}"
        f"<pre>{escape(curl(method, path, operation, is_open))}</pre>{_answer(schema, operation)}</section>"
    )


def _parameters(parameters: list[dict[str, Any]]) -> str:
    if not parameters:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(found['name'])}</code></td><td>{escape(found['in'])}</td>"
        f"<td>{_text(found.get('description', ''))}</td></tr>"
        for found in parameters
    )
    return f"<table><tr><th>parameter</th><th>in</th><th></th></tr>{rows}</table>"


def curl(method: str, path: str, operation: dict[str, Any], is_open: bool) -> str:
    """A command that can be pasted once TOKEN is set."""
    for name, value in SAMPLES.items():
        path = path.replace("{" + name + "}", value)
    query = "&".join(
        f"{found['name']}={SAMPLES[found['name']]}"
        for found in operation.get("parameters", [])
        if found["in"] == "query" and found["name"] in SAMPLES
    )
    verb = "" if method == "get" else f"-X {method.upper()} "
    header = "" if is_open else '-H "Authorization: Bearer $TOKEN" '
    return f"curl {verb}{header}'http://127.0.0.1:8000{path}{'?' + query if query else ''}'"


def _answer(schema: dict[str, Any], operation: dict[str, Any]) -> str:
    for status, response in operation.get("responses", {}).items():
        for content in response.get("content", {}).values():
            if status.startswith("2"):
                return _fields(schema, content.get("schema", {}))
    return ""


def _fields(schema: dict[str, Any], body: dict[str, Any]) -> str:
    """The answer's fields, one level deep."""
    found = _resolved(schema, body)
    properties = found.get("properties", {})
    if not properties:
        return ""
    rows = "".join(
        f"<tr><td><code>{escape(name)}</code></td><td>{escape(_type(schema, value))}</td></tr>"
        for name, value in properties.items()
    )
    return f"<table><tr><th>answer</th><th></th></tr>{rows}</table>"


def _resolved(schema: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    reference = body.get("$ref")
    if reference is None:
        return body
    found: dict[str, Any] = schema["components"]["schemas"][reference.rpartition("/")[2]]
    return found


def _type(schema: dict[str, Any], value: dict[str, Any]) -> str:
    if "$ref" in value:
        return str(_resolved(schema, value).get("title", value["$ref"].rpartition("/")[2]))
    for choice in ("oneOf", "anyOf"):
        if choice in value:
            return " or ".join(_type(schema, option) for option in value[choice])
    if value.get("type") == "array":
        return "list of " + _type(schema, value.get("items", {}))
    kind = value.get("type", "any")
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def _problems() -> str:
    rows: dict[str, Row] = {
        row.slug: row for row in (*(row for _, row in TABLE), *FRAMEWORK.values(), INTERNAL)
    }
    lines = "".join(
        f'<tr id="problem-{row.slug}"><td>{row.status}</td><td><code>{row.slug}</code></td>'
        f"<td>{escape(row.title)}</td></tr>"
        for row in sorted(rows.values(), key=lambda row: row.status)
    )
    return (
        f'<h2 id="problems">Problems</h2><table><tr><th>status</th><th>type</th><th></th></tr>{lines}</table>'
    )


def _text(told: str) -> str:
    """Prose with what stands in backticks as code."""
    return _CODE.sub(r"<code>\1</code>", escape(told))
