"""Where a provider's symbol trades: its suffixes and names of exchanges to our venues.

What is listed at an exchange of the United States is an instrument of `US`, the consolidated market: these
providers tell its last price wherever it was made. Elsewhere the venue is the exchange's MIC (ISO 10383).
"""

from __future__ import annotations

import re

from domain.errors import Malformed
from domain.ids import InstrumentId, make_instrument_id
from domain.market.reference_ids import MONEY

US, FX, COINS, INDEX, OPTIONS = "US", "FX", "CRYPTO", "INDEX", "OPRA"


def table(text: str) -> dict[str, str]:
    """`L=XLON DE=XETR` -> what stands for what."""
    return dict(entry.split("=") for entry in text.split())


def _codes(text: str) -> frozenset[str]:
    return frozenset(text.split())


US_MICS = _codes(
    "XNAS XNGS XNMS XNCM XNYS ARCX XASE BATS EDGX EDGA BATY XCHI XBOS XPHL IEXG OTCM OTCB OTCQ PINX "
    "PSGM EXPM XOTC OOTC MEMX XNIM XCIS LTSE EPRL"
)
US_NAMES = _codes(
    "NASDAQ NYSE AMEX OTC BATS CBOE NYSEARCA NYSEAMERICAN PINK IEX NMS NGM NCM NYQ PCX ASE PNK BTS NAS "
    "USAMEX USPAC NYS NYSEMKT ARCA OEM OQB OQX OBB"
)
SUFFIX_MICS = table(
    "L=XLON IL=XLON DE=XETR F=XFRA BE=XBER DU=XDUS HM=XHAM HA=XHAN MU=XMUN SG=XSTU PA=XPAR AS=XAMS "
    "BR=XBRU LS=XLIS MI=XMIL MC=XMAD SW=XSWX ST=XSTO HE=XHEL CO=XCSE OL=XOSL IC=XICE VI=XWBO IR=XDUB "
    "TO=XTSE V=XTSX CN=XCNQ NE=NEOE AX=XASX NZ=XNZE HK=XHKG T=XTKS KS=XKRX KQ=XKOS SS=XSHG SZ=XSHE "
    "TW=XTAI TWO=ROCO SI=XSES KL=XKLS BK=XBKK JK=XIDX NS=XNSE BO=XBOM SA=BVMF MX=XMEX BA=XBUE SN=XSGO "
    "JO=XJSE TA=XTAE IS=XIST SR=XSAU QA=DSMD AT=XATH PR=XPRA WA=XWAR BD=XBUD ME=MISX TL=XTAL RG=XRIS "
    "VS=XLIT"
)
"""Suffixes of Yahoo and Finnhub (`OCDO.L`)."""

_QUOTES = tuple(
    sorted({*MONEY, "CNY", "HKD", "INR", "KRW", "RUB", "SGD", "NOK", "DKK", "USDT", "USDC"}, key=len)
)[::-1]
_PREFERRED = re.compile(r"([A-Z]{1,5})p([A-Z]?)")
_CLASS = re.compile(r"([A-Z]{1,5})-([A-C])")


def share(symbol: str) -> InstrumentId:
    """Of the US market. Massive's `BACpL` is `BAC-PL`, Yahoo's `BRK-B` is `BRK.B`. Raises Malformed."""
    letters = symbol.strip().replace("/", ".")
    preferred = _PREFERRED.fullmatch(letters)
    letters = f"{preferred[1]}-P{preferred[2]}" if preferred else letters
    share_class = _CLASS.fullmatch(letters.upper())
    return make_instrument_id(f"{share_class[1]}.{share_class[2]}" if share_class else letters, US)


def suffixed(symbol: str, mics: dict[str, str] = SUFFIX_MICS) -> InstrumentId:
    """`OCDO.L` -> `OCDO.XLON`; a symbol without a known suffix is a share in the US. Raises Malformed."""
    letters, _, suffix = symbol.strip().rpartition(".")
    mic = mics.get(suffix.upper()) if letters else None
    return share(symbol) if mic is None else make_instrument_id(letters, mic)


def listed(symbol: str, mic: str | None, exchange: str | None) -> InstrumentId | None:
    """By the exchange that a provider names, its MIC first; None where neither is known. Raises Malformed."""
    code = (mic or "").upper()
    if code in US_MICS or re.sub(r"[^A-Z]", "", (exchange or "").upper()) in US_NAMES:
        return share(symbol)
    return make_instrument_id(symbol, code) if re.fullmatch(r"[A-Z0-9]{4}", code) else None


def pair(base: str, quote: str) -> InstrumentId:
    """Two currencies at `FX`, a coin in a currency at `CRYPTO`. Raises Malformed."""
    first, second = base.strip().upper(), quote.strip().upper()
    if not first or not second or first == second:
        raise Malformed(f"{base[:20]!r} and {quote[:20]!r} are no pair")
    return make_instrument_id(f"{first}-{second}", FX if is_money(first) and is_money(second) else COINS)


def is_money(code: str) -> bool:
    """Whether a code is a currency's of ISO 4217 that providers quote."""
    return code in CURRENCIES


def cut_pair(letters: str) -> tuple[str, str] | None:
    """`BTCUSD`, `EUR_USD`, `BTC-USD` -> its two codes; None where it cannot be told."""
    text = letters.strip().upper()
    for mark in "-_/:":
        base, found, quote = text.partition(mark)
        if found:
            return (base, quote) if base and quote else None
    if len(text) == 6 and text[:3] in CURRENCIES and text[3:] in CURRENCIES:
        return text[:3], text[3:]
    quote = next((each for each in _QUOTES if text.endswith(each) and len(text) > len(each)), "")
    return (text.removesuffix(quote), quote) if quote else None


CURRENCIES = _codes(
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN "
    "BZD CAD CDF CHF CLF CLP CNH CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
    "GEL GGP GHS GIP GMD GNF GTQ GYD HKD HNL HRK HTG HUF IDR ILS IMP INR IQD IRR ISK JEP JMD JOD JPY "
    "KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR "
    "MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF "
    "SAR SBD SCR SDG SEK SGD SHP SLE SLL SOS SRD SSP STD STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD "
    "TWD TZS UAH UGX USD UYU UZS VEF VES VND VUV WST XAF XAG XAU XCD XDR XOF XPD XPF XPT YER ZAR ZMW "
    "ZWL"
)
