"""Which instrument a coin is: no two coins share one, though thousands of tickers are used twice.

    coin itself           BTC.CRYPTO          shiba-inu of CoinGecko   SHIBA_INU.CRYPTO
    its price in dollars  BTC-USD.CRYPTO      number 6 of CMC, NVC     NVC:CMC6-USD.CRYPTO
    anything else named   EXCHANGE:KRAKEN.CRYPTO

A coin of `KNOWN` has its ticker under every provider. Any other is named by what its provider never gives
twice: CoinGecko by the id, CoinMarketCap by the number. An id never changes, so nothing is added to `KNOWN`
later: what is the same coin under two providers is for the map of symbols to say.
"""

from __future__ import annotations

import hashlib
import re
from typing import NamedTuple

from domain.errors import Malformed
from domain.ids import MAX_ID_LENGTH, instrument_id

VENUE = "CRYPTO"


class Coin(NamedTuple):
    coingecko: str
    coinmarketcap: int


KNOWN = {
    "BTC": Coin("bitcoin", 1),
    "LTC": Coin("litecoin", 2),
    "NMC": Coin("namecoin", 3),
    "PPC": Coin("peercoin", 5),
    "XRP": Coin("ripple", 52),
    "DOGE": Coin("dogecoin", 74),
    "DASH": Coin("dash", 131),
    "XMR": Coin("monero", 328),
    "XLM": Coin("stellar", 512),
    "USDT": Coin("tether", 825),
    "ETH": Coin("ethereum", 1027),
    "ETC": Coin("ethereum-classic", 1321),
    "NEO": Coin("neo", 1376),
    "ZEC": Coin("zcash", 1437),
    "EOS": Coin("eos", 1765),
    "BCH": Coin("bitcoin-cash", 1831),
    "BNB": Coin("binancecoin", 1839),
    "TRX": Coin("tron", 1958),
    "LINK": Coin("chainlink", 1975),
    "ADA": Coin("cardano", 2010),
    "XTZ": Coin("tezos", 2011),
    "FIL": Coin("filecoin", 2280),
    "USDC": Coin("usd-coin", 3408),
    "WBTC": Coin("wrapped-bitcoin", 3717),
    "ATOM": Coin("cosmos", 3794),
    "MATIC": Coin("matic-network", 3890),
    "ALGO": Coin("algorand", 4030),
    "DAI": Coin("dai", 4943),
    "SOL": Coin("solana", 5426),
    "AVAX": Coin("avalanche-2", 5805),
    "SHIB": Coin("shiba-inu", 5994),
    "NEAR": Coin("near", 6535),
    "DOT": Coin("polkadot", 6636),
    "UNI": Coin("uniswap", 7083),
    "AAVE": Coin("aave", 7278),
    "ICP": Coin("internet-computer", 8916),
    "TON": Coin("the-open-network", 11419),
    "PEPE": Coin("pepe", 24478),
}
"""Our letters -> the providers' own ids. A number of CoinMarketCap counts only together with the ticker."""
_BY_COINGECKO = {coin.coingecko: letters for letters, coin in KNOWN.items()}
_BY_COINMARKETCAP = {(coin.coinmarketcap, letters): letters for letters, coin in KNOWN.items()}
_PLAIN = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
_PLAIN_THING = re.compile(r"(?=.{1,36}$)[a-z0-9]+(?:[-_][a-z0-9]+)*")
_OTHERS = re.compile(r"[^A-Z0-9]+")
_CURRENCY = re.compile(r"[A-Z0-9]{1,12}")
MAX_LETTERS = 36
MAX_CUT = 30
"""So much of a name stands before its digest: with the longest currency the id still fits."""
DIGEST_BYTES = 5


def coingecko_letters(coin: str) -> str:
    """`bitcoin` -> `BTC`, `wrapped-steth` -> `WRAPPED_STETH`. Raises Malformed for an empty id."""
    known = _BY_COINGECKO.get(coin)
    return known if known is not None else letters_of(coin, taken=coin.upper() in KNOWN)


def coinmarketcap_letters(number: int, ticker: str) -> str:
    """1, `BTC` -> `BTC`; 6 and `NVC` -> `NVC:CMC6`. Number and ticker must both be those of a known coin."""
    letters = ticker.strip().upper()
    known = _BY_COINMARKETCAP.get((number, letters))
    return known or f"{_cut(letters)}:CMC{number}".lstrip(":")


def letters_of(name: str, *, taken: bool = False) -> str:
    """A provider's own id in our letters, without `-`; with a digest where that would not be one to one."""
    if not name.strip():
        raise Malformed("a name is empty")
    if _PLAIN.fullmatch(name) and len(name) <= MAX_LETTERS and not taken:
        return name.upper().replace("-", "_")
    return f"{_cut(name.upper())}:{_digest(name)}".lstrip(":")


def coin_id(letters: str) -> str:
    """What is said of a coin in no currency. Raises Malformed."""
    return instrument_id(f"{letters}.{VENUE}")


def pair_id(letters: str, currency: str) -> str:
    """A coin's price in a currency. Raises Malformed."""
    return instrument_id(f"{letters}-{currency_of(currency)}.{VENUE}")


def thing_id(family: str, name: str) -> str:
    """`EXCHANGE`, `binance_us` -> `EXCHANGE:BINANCE_US.CRYPTO`. Raises Malformed."""
    letters = name.upper() if _PLAIN_THING.fullmatch(name) else letters_of(name, taken=True)
    return instrument_id(f"{family}:{letters}.{VENUE}")


def currency_of(code: str) -> str:
    """`usd` -> `USD`. Raises Malformed."""
    letters = code.strip().upper()
    if not _CURRENCY.fullmatch(letters):
        raise Malformed(f"currency {code[:40]!r} is no code like USD")
    return letters


def venue_of(name: str) -> str:
    """`Binance (Futures)` -> `BINANCE_FUTURES`. Raises Malformed where nothing is left of it."""
    letters = _OTHERS.sub("_", name.upper()).strip("_")[:MAX_LETTERS]
    if not letters:
        raise Malformed(f"market {name[:40]!r} cannot be written in capitals and digits")
    return letters


def listed_id(symbol: str, venue: str) -> str:
    """A symbol at an exchange; one that is too long or strange ends in its digest. Raises Malformed."""
    letters = symbol.strip().upper().replace("/", "-")
    if not letters:
        raise Malformed("a symbol is empty")
    try:
        return instrument_id(f"{letters}.{venue}")
    except Malformed:
        digest = (
            hashlib.blake2b(letters.encode(errors="replace"), digest_size=DIGEST_BYTES).hexdigest().upper()
        )
        room = MAX_ID_LENGTH - len(venue) - len(digest) - 2
        return instrument_id(f"{_cut(letters)[:room]}:{digest}.{venue}")


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(errors="replace"), digest_size=DIGEST_BYTES).hexdigest().upper()


def _cut(letters: str) -> str:
    return _OTHERS.sub("_", letters).strip("_")[:MAX_CUT]
