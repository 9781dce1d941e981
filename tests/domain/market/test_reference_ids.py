"""Which reference instrument a traded one belongs to."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from domain.market.calendars import US_VENUES
from domain.market.observations import InstrumentInfo
from domain.market.reference_ids import US_EXCHANGES, detour, is_sample, reference_of
from tests.builders import a_ticker, a_trade, an_info


@pytest.mark.parametrize(
    ("instrument", "reference"),
    [
        ("BTC-USD.COINBASE", "BTC-USD.CRYPTO"),
        ("BTC-USD.KRAKEN", "BTC-USD.CRYPTO"),
        ("BTC-USDT.BINANCE", "BTC-USD.CRYPTO"),
        ("BTC-USDC.BINANCE_US", "BTC-USD.CRYPTO"),
        ("BTC-EUR.KRAKEN", "BTC-EUR.CRYPTO"),
        ("ETH-BTC.BINANCE", "ETH-BTC.CRYPTO"),
        ("USDT-USD.KRAKEN", "USDT-USD.CRYPTO"),
        ("USDC-USDT.BINANCE", None),
        ("EUR-USD.KRAKEN", None),
        ("EUR-USDT.BINANCE", None),
        ("BELBTC.BINANCE_TR", None),
        ("BTCUSDT.BINANCE_USDM", None),
        ("BCHUSD_PERP.BINANCE_COINM", None),
        ("BTC-USD.SIM", None),
        ("BTC-USD.CRYPTO", None),
        ("EUR-USD.FX", None),
        ("BRK.B.XNYS", "BRK.B.US"),
        ("AAPL.XNAS", "AAPL.US"),
        ("SPY.ARCX", "SPY.US"),
        ("AAPL.US", None),
        ("VOD.XLON", None),
        ("AAPL260116C00200000.OPRA", None),
        ("DGS10.FRED", None),
    ],
)
def test_the_reference_is_read_off_the_id(instrument: str, reference: str | None) -> None:
    assert reference_of(instrument) == reference
    assert reference is None or reference_of(reference) is None


def info(instrument: str, asset_class: str, base: str | None, quote: str | None) -> InstrumentInfo:
    return replace(an_info(instrument), asset_class=asset_class, base=base, quote=quote)


def test_what_the_venue_says_counts_before_the_id() -> None:
    described = info("BELBTC.BINANCE_TR", "crypto", "BEL", "BTC")
    assert reference_of("BELBTC.BINANCE_TR", described) == "BEL-BTC.CRYPTO"
    assert reference_of("BTC-USD.KRAKEN", info("BTC-USD.KRAKEN", "future", "BTC", "USD")) is None
    assert reference_of("BTC-USD.KRAKEN", info("BTC-USD.KRAKEN", "crypto", "BTC", "US D")) is None


def test_the_nearer_to_the_dollar_the_shorter_the_detour() -> None:
    ways = [detour(f"BTC-{quote}.COINBASE") for quote in ("USD", "USDC", "USDT", "FDUSD")]
    assert ways == [0, 1, 2, 3]
    assert detour("BTC-EUR.KRAKEN") == detour("AAPL.XNAS") == 0


def test_every_exchange_of_shares_has_the_hours_of_its_reference() -> None:
    assert US_EXCHANGES < US_VENUES and "US" in US_VENUES


def test_a_sample_is_told_from_what_a_provider_says_of_the_same() -> None:
    sample = a_ticker(100.0, instrument="BTC-USD.CRYPTO")
    assert is_sample(sample)
    assert not is_sample(replace(sample, market_cap=1e12))
    assert not is_sample(replace(sample, instrument="BTC-USD.SIM"))
    assert not is_sample(a_trade(instrument="BTC-USD.CRYPTO"))
