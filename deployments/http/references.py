"""How an answer tells what the providers of a reference instrument agree on."""

from __future__ import annotations

from msgspec import Struct

from domain.clock import format_time
from domain.market.reference_price import Reference


class ReferenceBody(Struct, frozen=True):
    """Of the providers' samples, as of the newest of them (`ts_event`).

    `price`: median of those heard within 10 s (`fresh` of them). `spread`: (highest - lowest) / price.
    `confidence` in [0, 1]: share of all providers ever heard that are fresh and agree. `deviating`: fresh,
    but far from the median; `stale`: without a fresh sample.
    """

    price: float
    spread: float
    confidence: float
    fresh: int
    deviating: tuple[str, ...]
    stale: tuple[str, ...]
    ts_event: str


def reference_body(reference: Reference | None) -> ReferenceBody | None:
    if reference is None:
        return None
    return ReferenceBody(
        price=reference.price,
        spread=reference.spread,
        confidence=reference.confidence,
        fresh=reference.fresh,
        deviating=reference.deviating,
        stale=reference.stale,
        ts_event=format_time(reference.ts_event),
    )
