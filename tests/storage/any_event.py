"""Any event of any kind the log knows, for property tests: built from the forms' declared types."""

from __future__ import annotations

import types
from typing import Any, Literal, Union, get_args, get_origin

from hypothesis import strategies as st

from domain.envelope import Event
from storage.forms import FORMS, Form

INT64 = st.integers(-(2**63), 2**63 - 1)
FLOATS = st.one_of(
    st.floats(allow_nan=False, width=64),
    st.decimals(0, 100_000, places=4).map(float),
    st.sampled_from([0.0, -0.0, float("inf"), float("-inf"), 1e300, 5e-324, 0.1 + 0.2]),
)
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.integers(0, 10**20).map(str),
    st.integers(0, 99).map("T{:03d}".format),
    st.sampled_from(["binance", "BTC-USD.SIM", "", "é🦄"]),
)


def values_of(kind: Any) -> st.SearchStrategy[Any]:
    """Values of a declared field type."""
    origin, arguments = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        return st.one_of(*map(values_of, arguments))
    if origin is Literal:
        return st.sampled_from(arguments)
    if origin is tuple and arguments[-1] is Ellipsis:
        return st.lists(values_of(arguments[0]), max_size=4).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values_of, arguments))
    plain = {int: INT64, float: FLOATS, bool: st.booleans(), str: TEXTS, bytes: st.binary(max_size=20)}
    return st.none() if kind is type(None) else plain[kind]


def events_of(form: Form) -> st.SearchStrategy[Event]:
    return st.builds(form.make, *map(values_of, form.types))


def any_events(min_size: int, max_size: int) -> st.SearchStrategy[list[Event]]:
    """Mixed events, few distinct ones repeated, so that large blocks stay cheap to draw."""
    drawn = st.lists(st.one_of(*map(events_of, FORMS)), min_size=1, max_size=12)
    places = st.lists(st.integers(0, 11), min_size=min_size, max_size=max_size)
    return st.tuples(drawn, places).map(lambda pair: [pair[0][n % len(pair[0])] for n in pair[1]])
