"""Dates of feeds to ns UTC: RFC 3339, RFC 822 with foreign months and zones; else as feedparser reads."""

from __future__ import annotations

import calendar
import datetime as dt
import re
import time
from email.utils import parsedate_to_datetime

from actors.feeds.rest.days import zoned_ns
from domain.clock import MAX_NS, NS_PER_S
from domain.errors import Malformed

_MONTHS = {
    month: names.split()
    for month, names in {
        "Jan": "januar janvier janv enero ene gennaio gen janeiro januari jän jänner",
        "Feb": "februar février févr fév fevrier febrero febbraio fevereiro fev februari",
        "Mar": "märz mär maerz mrz mars marzo março maart mrt",
        "Apr": "april avril avr abril abr aprile",
        "May": "mai mayo maggio mag maio mei maj",
        "Jun": "juni juin junio giugno giu junho",
        "Jul": "juli juillet juil julio luglio lug julho",
        "Aug": "august août aout agosto ago augustus augusti",
        "Sep": "september sept septembre septiembre settembre set setembro",
        "Oct": "oktober okt octobre octubre ottobre ott outubro out",
        "Nov": "november novembre noviembre novembro",
        "Dec": "dezember dez décembre déc decembre diciembre dic dicembre dezembro december",
    }.items()
}
_ENGLISH = {name: month for month, names in _MONTHS.items() for name in (month.lower(), *names)}
_ZONES = {
    "UT": "+0000", "UTC": "+0000", "GMT": "+0000", "Z": "+0000", "WET": "+0000", "WEST": "+0100",
    "BST": "+0100", "CET": "+0100",
    "CEST": "+0200", "MET": "+0100", "MEST": "+0200", "MEZ": "+0100", "MESZ": "+0200",
    "EET": "+0200", "EEST": "+0300", "MSK": "+0300", "IST": "+0530", "PKT": "+0500", "HKT": "+0800",
    "SGT": "+0800", "AWST": "+0800", "JST": "+0900", "KST": "+0900", "AEST": "+1000", "AEDT": "+1100",
    "NZST": "+1200", "NZDT": "+1300", "EST": "-0500", "EDT": "-0400", "ET": "-0500", "CST": "-0600",
    "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700", "AST": "-0400",
    "ADT": "-0300",
}  # fmt: skip
"""IST is India's, the largest publisher of these; CST is that of Chicago, as RFC 822 says."""
_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|z|[+-]\d\d:?\d\d)?")
_RFC822 = re.compile(
    r"(?:[^\W\d]{2,12}\.?,?\s+)?(\d{1,2})\.?[\s-]+([^\W\d]{3,12})\.?,?[\s-]+(\d{4}|\d\d)"
    r"(?:,?\s+(\d{1,2}:?\d\d(?::\d\d)?)(?:\s+([A-Za-z]{1,5}|(?:GMT|UTC)?[+-]\d\d:?\d\d))?)?"
)
MAX_CHARS = 80
_EXACT_DIGITS = 9


def feed_time(text: object, parsed: object) -> int | None:
    """None for a date that nobody understands, and for one outside 1970 to 2100."""
    stripped = text.strip()[:MAX_CHARS] if isinstance(text, str) else ""
    found = _rfc3339_ns(stripped) or _rfc822_ns(stripped)
    return _struct_ns(parsed) if found is None else found


def _rfc3339_ns(text: str) -> int | None:
    if not _RFC3339.fullmatch(text):
        return None
    try:
        return zoned_ns(re.sub(rf"(\.\d{{{_EXACT_DIGITS}}})\d+", r"\1", text)) or None
    except Malformed:
        return None


def _rfc822_ns(text: str) -> int | None:
    match = _RFC822.fullmatch(text)
    month = _ENGLISH.get(match[2].lower()) if match else None
    if match is None or month is None:
        return None
    day, year, clock = match[1], match[3], match[4] or "00:00"
    clock = clock if ":" in clock else f"{clock[:-2]}:{clock[-2:]}"
    zone = _offset(match[5] or "GMT")
    try:
        moment = parsedate_to_datetime(f"{day} {month} {year} {clock} {zone}") if zone else None
        # -0000 says UTC from an unknown place (RFC 5322, 3.3); datetime keeps it without a zone.
        return None if moment is None else _in_range(int(_utc(moment).timestamp()) * NS_PER_S)
    except (ValueError, TypeError, OverflowError):
        return None


def _utc(moment: dt.datetime) -> dt.datetime:
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=dt.UTC)


def _offset(zone: str) -> str | None:
    plain = re.sub(r"^(?:GMT|UTC)(?=[+-])", "", zone.upper()).replace(":", "")
    return plain if plain[0] in "+-" else _ZONES.get(plain)


def _struct_ns(parsed: object) -> int | None:
    if not isinstance(parsed, time.struct_time):
        return None
    try:
        return _in_range(calendar.timegm(parsed) * NS_PER_S)
    except (ValueError, OverflowError):
        return None


def _in_range(ns: int) -> int | None:
    return ns if 0 < ns < MAX_NS else None
