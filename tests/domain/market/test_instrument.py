"""Names of instruments as people write them."""

from __future__ import annotations

import pytest

from domain.errors import Ambiguous, Malformed, NotFound
from domain.market.instrument import described, near, quote_currency, resolve
from domain.market.intervals import INTERVAL_NS, bar_start, interval_ns
from tests.builders import T0, an_info, at

BTC_COINBASE = an_info("BTC-USD.COINBASE", venue_symbol="BTC-USD")
BTC_KRAKEN = an_info("BTC-USD.KRAKEN", venue_symbol="XBT/USD", aliases=["XXBTZUSD"])
ETH = an_info("ETH-USDT.BINANCE", venue_symbol="ETHUSDT", base="ETH", quote="USDT")
BRK = an_info("BRK.B.XNYS", venue_symbol="BRK.B", base=None, aliases=["Berkshire"])
ALL = [BTC_COINBASE, BTC_KRAKEN, ETH, BRK]


@pytest.mark.parametrize(
    ("text", "instrument"),
    [
        ("BTC-USD.KRAKEN", "BTC-USD.KRAKEN"),
        ("btc-usd.kraken", "BTC-USD.KRAKEN"),
        ("BTC/USD.KRAKEN", "BTC-USD.KRAKEN"),
        ("xbt/usd", "BTC-USD.KRAKEN"),
        ("XXBTZUSD", "BTC-USD.KRAKEN"),
        ("eth", "ETH-USDT.BINANCE"),
        (" ETHUSDT ", "ETH-USDT.BINANCE"),
        ("eth-usdt", "ETH-USDT.BINANCE"),
        ("brk.b", "BRK.B.XNYS"),
        ("berkshire", "BRK.B.XNYS"),
    ],
)
def test_a_name_that_fits_one_instrument_is_that_instrument(text: str, instrument: str):
    assert resolve(text, ALL) == instrument


@pytest.mark.parametrize("text", ["BTC", "btc-usd", "BTC/USD"])
def test_a_name_that_fits_several_lists_them(text: str):
    with pytest.raises(Ambiguous) as caught:
        resolve(text, ALL)
    assert caught.value.candidates == ("BTC-USD.COINBASE", "BTC-USD.KRAKEN")


BTC_REFERENCE = described("BTC-USD.CRYPTO", "coinbase", T0)


@pytest.mark.parametrize("shared", [True, False])
def test_a_reference_beside_one_traded_instrument_changes_nothing(shared: bool):
    for known in ([BTC_COINBASE], [BTC_COINBASE, BTC_REFERENCE], [BTC_REFERENCE, BTC_COINBASE, ETH]):
        assert resolve("BTC", known, shared=shared) == "BTC-USD.COINBASE"
    assert resolve("BTC-USD.CRYPTO", [BTC_COINBASE, BTC_REFERENCE]) == "BTC-USD.CRYPTO"
    assert resolve("BTC", [BTC_REFERENCE], shared=shared) == "BTC-USD.CRYPTO"


def test_several_venues_meet_in_their_reference_where_it_can_answer():
    known = [BTC_COINBASE, BTC_KRAKEN, BTC_REFERENCE]
    assert resolve("btc", known, shared=True) == resolve("BTC/USD", known, shared=True) == "BTC-USD.CRYPTO"
    with pytest.raises(Ambiguous) as caught:
        resolve("btc", known)
    assert caught.value.candidates == ("BTC-USD.COINBASE", "BTC-USD.KRAKEN")


def test_venues_that_do_not_all_meet_in_one_reference_stay_ambiguous():
    future = an_info("BTCUSDT.BINANCE_USDM", base="BTC", quote="USDT")
    euro = an_info("BTC-EUR.KRAKEN", base="BTC", quote="EUR")
    euro_reference = described("BTC-EUR.CRYPTO", "kraken", T0)
    for more in ([future], [euro], [euro, euro_reference]):
        with pytest.raises(Ambiguous):
            resolve("BTC", [BTC_COINBASE, BTC_REFERENCE, *more], shared=True)


def test_a_full_id_is_never_ambiguous():
    twin = an_info("BTC.US", venue_symbol="BTC-USD.COINBASE", base=None)
    assert resolve("BTC-USD.COINBASE", [twin, *ALL]) == "BTC-USD.COINBASE"


def test_an_unknown_name_is_answered_with_near_ones():
    with pytest.raises(NotFound, match=r"'ETHUSD'; near: ETH-USDT\.BINANCE"):
        resolve("ETHUSD", ALL)
    with pytest.raises(NotFound, match=r"no instrument 'ZZZ'$"):
        resolve("ZZZ", ALL)
    with pytest.raises(NotFound):
        resolve("", ALL)


def test_names_that_begin_alike_are_near():
    assert near("BTC-U", ALL) == ("BTC-USD.COINBASE", "BTC-USD.KRAKEN")


@pytest.mark.parametrize(
    ("instrument", "symbol", "base", "quote", "asset_class"),
    [
        ("BTC-USD.COINBASE", "BTC-USD", "BTC", "USD", "crypto"),
        ("AKROUSDT.BINANCE_USDM", "AKROUSDT", None, None, "future"),
        ("BRK.B.XNYS", "BRK.B", None, None, "equity"),
        ("EUR-USD.FX", "EUR-USD", "EUR", "USD", "fx"),
        ("DGS10.FRED", "DGS10", None, None, "macro"),
        ("SPX.INDEX", "SPX", None, None, "index"),
    ],
)
def test_an_id_alone_says_something(instrument, symbol, base, quote, asset_class):
    info = described(instrument, "sim", T0)
    assert (info.venue_symbol, info.base, info.quote, info.asset_class) == (symbol, base, quote, asset_class)


def test_what_the_venue_says_of_the_quote_currency_counts_first():
    assert quote_currency("AKROUSDT.BINANCE_USDM", an_info(quote="USDT")) == "USDT"
    assert quote_currency("BTC-USD.SIM", an_info(quote=None)) == "USD"
    assert quote_currency("AAPL.XNAS", None) is None


def test_bars_start_at_whole_multiples_of_their_interval():
    assert all(bar_start(T0, length) == T0 for length in INTERVAL_NS.values())
    assert bar_start(at(61.5), interval_ns("1m")) == at(60)
    with pytest.raises(Malformed):
        interval_ns("2m")
