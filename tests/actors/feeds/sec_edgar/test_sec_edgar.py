"""The SEC's payloads that no recording shows: other companies' clocks, odd rows, errors."""

from __future__ import annotations

from typing import Any

import pytest

from domain.clock import parse_time
from tests.parsed import RECV, classes, only, parse, said

SEC = "https://www.sec.gov"


def columns(**changed: list[Any]) -> dict[str, list[Any]]:
    return {
        "accessionNumber": ["0000320193-23-000079", "0000320193-23-000078"],
        "filingDate": ["2023-08-08", "2023-08-07"],
        "reportDate": ["2023-08-05", ""],
        "acceptanceDateTime": ["2023-08-08T22:30:28.000Z", "2023-08-07T20:02:01.000Z"],
        "form": ["4", "10-Q"],
        "items": ["", "2.02,9.01"],
        "primaryDocument": ["form4.xml", ""],
        "primaryDocDescription": ["FORM 4", ""],
    } | changed


def company(recent: Any = None, **changed: Any) -> dict[str, Any]:
    body = {"cik": "320193", "name": "Acme", "tickers": ["ACME"], "exchanges": ["NYSE"]}
    return body | {"filings": {"recent": columns() if recent is None else recent, "files": []}} | changed


def filings(body: Any, *told: Any, **more: Any) -> list[Any]:
    return [each for each in parse("sec_edgar", body, *told, **more).facts if each.kind == "filing"]


def test_a_company_whose_times_are_utc() -> None:
    first, second = filings(company())
    assert first.filed_at == parse_time("2023-08-08T22:30:28Z")
    assert second.filed_at == parse_time("2023-08-07T20:02:01Z")
    assert second.url == f"{SEC}/Archives/edgar/data/320193/000032019323000078/0000320193-23-000078-index.htm"
    assert (second.title, second.period, second.items) == ("10-Q", None, ("2.02", "9.01"))


def test_a_company_whose_times_are_new_yorks() -> None:
    stamps = ["2023-08-08T18:30:28.000Z", "2023-12-07T06:02:01.000Z"]
    first, second = filings(company(columns(acceptanceDateTime=stamps)))
    assert first.filed_at == parse_time("2023-08-08T22:30:28Z")
    assert second.filed_at == parse_time("2023-12-07T11:02:01Z")


def test_times_that_fit_both_clocks_are_what_they_say() -> None:
    stamps = ["2023-08-08T16:30:28.000Z", "2023-08-07T15:00:00.000Z"]
    assert filings(company(columns(acceptanceDateTime=stamps)))[0].filed_at == parse_time(
        "2023-08-08T16:30:28Z"
    )


def test_a_zone_of_its_own_counts() -> None:
    stamps = ["2023-08-08T16:30:28-04:00", "2023-08-07T15:00:00.000Z"]
    assert filings(company(columns(acceptanceDateTime=stamps)))[0].filed_at == parse_time(
        "2023-08-08T20:30:28Z"
    )


def test_without_a_time_the_day_counts() -> None:
    first, second = filings(company(columns(acceptanceDateTime=["", "2023-08-07T00:00:00.000Z"])))
    assert first.filed_at == parse_time("2023-08-08") and second.filed_at == parse_time("2023-08-07")


@pytest.mark.parametrize(
    "changed",
    [
        {"accessionNumber": ["0000320193-23-000079", "x"]},
        {"form": ["4"]},
        {"form": ["4", None]},
        {"form": ["4", ["10-Q"]]},
        {"filingDate": ["2023-08-08", "soon"]},
        {"acceptanceDateTime": ["2023-08-08T22:30:28.000Z", "2023-99-08T22:30:28.000Z"]},
        {"acceptanceDateTime": ["2023-08-08T22:30:28.000Z", ""], "filingDate": ["2023-08-08", ""]},
    ],
)
def test_a_bad_row_costs_that_row(changed: dict[str, list[Any]]) -> None:
    parsed = parse("sec_edgar", company(columns(**changed)))
    assert classes(parsed) == ["malformed"]
    assert [each.accession for each in parsed.facts if each.kind == "filing"] == ["0000320193-23-000079"]


def test_an_accession_number_comes_once() -> None:
    assert len(filings(company(columns(accessionNumber=["0000320193-23-000079", "000032019323000079"])))) == 1


def test_a_filer_without_a_ticker_goes_by_its_cik() -> None:
    assert {each.instrument for each in filings(company(tickers=[]))} == {"CIK0000320193.SEC"}
    assert {each.instrument for each in filings(company(tickers=None))} == {"CIK0000320193.SEC"}
    assert {each.instrument for each in filings(company(tickers=["BRK-B", "BRK-A"]))} == {"BRK.B.US"}


def test_a_company_without_filings_has_none() -> None:
    empty = {name: [] for name in columns()}
    assert not filings(company(empty)) and not parse("sec_edgar", company(empty)).rejects


def test_an_older_page_says_not_whose_it_is() -> None:
    assert classes(parse("sec_edgar", columns(), "page.json", source="file")) == ["malformed"]
    assert classes(parse("sec_edgar", columns())) == ["malformed"]
    named = filings(columns(), "https://data.sec.gov/submissions/CIK0000320193-submissions-001.json")
    assumed = filings(columns(), symbol="AAPL")
    assumed_cik = filings(columns(), symbol="CIK0000320193", venue="SEC")
    assert [each[0].instrument for each in (named, assumed, assumed_cik)] == [
        "CIK0000320193.SEC", "AAPL.US", "CIK0000320193.SEC",
    ]  # fmt: skip


def facts(**units: list[dict[str, Any]]) -> dict[str, Any]:
    return {"cik": 7, "entityName": "Acme", "facts": {"us-gaap": {"Revenues": {"units": units}}}}


def fact(**changed: Any) -> dict[str, Any]:
    base = {
        "end": "2025-03-31",
        "val": 5,
        "accn": "0000000007-25-000001",
        "fy": 2025,
        "fp": "Q1",
        "form": "10-Q",
    }
    return base | {"filed": "2025-05-01", "start": "2025-01-01"} | changed


def test_a_ticker_may_be_assumed_for_the_facts() -> None:
    assert only(parse("sec_edgar", facts(USD=[fact()]), symbol="ACME")).instrument == "ACME.US"
    assert only(parse("sec_edgar", facts(USD=[fact()]))).instrument == "CIK0000000007.SEC"


def test_two_currencies_of_a_period_are_two_statements() -> None:
    parsed = parse("sec_edgar", facts(EUR=[fact()], USD=[fact(val="6")], shares=[fact(val=7)]))
    told = {each.currency: each.values for each in parsed.facts}
    assert told == {"EUR": {"Revenues": 5.0, "us-gaap:Revenues (shares)": 7.0}, "USD": {"Revenues": 6.0}}


def test_a_missing_value_is_none_and_a_bad_fact_costs_itself() -> None:
    rows = [
        fact(val=None),
        fact(end="soon"),
        5,
        fact(accn=None),
        fact(start="2026-01-01"),
        fact(val="x", end="2025-03-30"),
    ]
    parsed = parse("sec_edgar", facts(USD=rows))
    assert [each.values for each in parsed.facts] == [{"Revenues": None}] and len(parsed.rejects) == 5


@pytest.mark.parametrize(
    ("start", "end", "period"),
    [
        (None, "2025-03-31", "instant"),
        ("2025-01-01", "2025-03-31", "quarterly"),
        ("2025-01-01", "2025-06-30", "half_year"),
        ("2025-01-01", "2025-09-30", "nine_months"),
        ("2025-01-01", "2025-12-31", "annual"),
        ("2024-12-29", "2026-01-03", "annual"),
        ("2025-01-01", "2025-01-01", "other"),
        ("2015-01-01", "2025-12-31", "other"),
    ],
)
def test_periods_by_their_length(start: str | None, end: str, period: str) -> None:
    found = only(parse("sec_edgar", facts(USD=[fact(start=start, end=end)])))
    assert (found.period, found.period_start, found.period_end) == (period, start, end)


def test_tickers_in_columns() -> None:
    body = {
        "fields": ["cik", "name", "ticker", "exchange"],
        "data": [[320193, "Apple Inc.", "AAPL", "Nasdaq"], [7], 5, [7, "X", None, None], [8, "Y", "Y", None]],
    }
    parsed = parse("sec_edgar", body)
    assert [(each.instrument, each.exchange) for each in parsed.facts] == [
        ("AAPL.US", "Nasdaq"),
        ("Y.US", None),
    ]
    assert classes(parsed) == ["malformed"] * 3


def ownership(inside: str = "", ticker: str = "ACME", owners: str | None = None) -> str:
    owner = (
        "<reportingOwner><reportingOwnerId><rptOwnerName>Doe Jane</rptOwnerName></reportingOwnerId>"
        "<reportingOwnerRelationship><isDirector>true</isDirector><isOfficer>1</isOfficer>"
        "<isTenPercentOwner>0</isTenPercentOwner><officerTitle>CEO</officerTitle>"
        "</reportingOwnerRelationship></reportingOwner>"
    )
    return (
        '<?xml version="1.0"?><ownershipDocument><documentType>4/A</documentType>'
        "<periodOfReport>2026-01-05</periodOfReport><issuer><issuerCik>0000000007</issuerCik>"
        f"<issuerTradingSymbol>{ticker}</issuerTradingSymbol></issuer>{owner if owners is None else owners}"
        f"{inside}</ownershipDocument>"
    )


def change(kind: str = "nonDerivative", shares: str = "<value>100</value>", code: str = "A") -> str:
    return (
        f"<{kind}Table><{kind}Transaction><securityTitle><value>Unit</value></securityTitle>"
        "<transactionDate><value>2026-01-05</value></transactionDate>"
        "<transactionCoding><transactionCode>M</transactionCode></transactionCoding>"
        f"<transactionAmounts><transactionShares>{shares}</transactionShares>"
        "<transactionPricePerShare><footnoteId id='F1'/></transactionPricePerShare>"
        f"<transactionAcquiredDisposedCode><value>{code}</value></transactionAcquiredDisposedCode>"
        f"</transactionAmounts></{kind}Transaction></{kind}Table>"
    )


def test_changes_in_shares_and_in_derivatives() -> None:
    found = only(parse("sec_edgar", ownership(change() + change("derivative", code="D"))))
    assert (found.owner, found.relation, found.form) == ("Doe Jane", "director, officer: CEO", "4/A")
    assert [(each.shares, each.derivative, each.price) for each in found.transactions] == [
        (100.0, False, None),
        (-100.0, True, None),
    ]


@pytest.mark.parametrize("shares", ["", "<value>many</value>"])
def test_a_change_that_cannot_be_read_costs_itself(shares: str) -> None:
    parsed = parse("sec_edgar", ownership(change(shares=shares) + change("derivative")))
    assert classes(parsed) == ["malformed"] and len(parsed.facts[0].transactions) == 1


@pytest.mark.parametrize(
    ("ticker", "instrument"),
    [
        ("BRK.A", "BRK.A.US"),
        ("NYSE: ACM", "ACM.US"),
        ("GOOGL, GOOG", "GOOGL.US"),
        ("NONE", "CIK0000000007.SEC"),
        ("N/A", "CIK0000000007.SEC"),
        ("", "CIK0000000007.SEC"),
        ("not a ticker", "CIK0000000007.SEC"),
    ],
)
def test_the_issuer_by_its_ticker_or_its_cik(ticker: str, instrument: str) -> None:
    assert only(parse("sec_edgar", ownership(ticker=ticker))).instrument == instrument


def test_an_address_in_the_archives_gives_the_accession_number() -> None:
    found = only(parse("sec_edgar", ownership(), f"{SEC}/Archives/edgar/data/7/000000000726000001/form4.xml"))
    assert found.accession == "0000000007-26-000001"


@pytest.mark.parametrize(
    "body", [ownership(owners=""), "<ownershipDocument/>", "<edgarSubmission/>", "<xbrl/>", "<odd/>"]
)
def test_a_document_that_does_not_say_whose_it_is(body: str) -> None:
    assert classes(parse("sec_edgar", body)) == ["malformed"]


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ("<html><body>Request Rate Threshold Exceeded</body></html>", "throttled"),
        ("<!DOCTYPE html><html>Your Request Originates from an Undeclared Automated Tool</html>", "auth"),
        ("<html><body>Service Unavailable</body></html>", "upstream"),
        (
            "<Error><Code>NoSuchKey</Code><Message>The specified key does not exist.</Message></Error>",
            "not_found",
        ),
        ("<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>", "entitlement"),
        ('{"message": "Internal server error"}', "upstream"),
        ("{}", "malformed"),
        ("[]", "malformed"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><ownershipDocument>&b;</ownershipDocument>', "malformed"),
        ("<ownershipDocument>", "malformed"),
    ],
)
@pytest.mark.parametrize("status", [200, 403])
def test_errors_have_their_class_by_what_is_said(body: str, found: str, status: int) -> None:
    assert classes(parse("sec_edgar", body, f"{SEC}/x", status=status)) == [found]


def test_a_body_without_a_word_has_the_class_of_its_status() -> None:
    told = [classes(parse("sec_edgar", "", f"{SEC}/x", status=status)) for status in (200, 404, 503)]
    assert told == [["malformed"], ["not_found"], ["upstream"]]


def test_a_submission_of_an_insider_is_about_the_issuer() -> None:
    text = (
        "<SEC-DOCUMENT>0000000007-26-000001.txt : 20260105\n<SEC-HEADER>x : 20260105\n"
        "<ACCEPTANCE-DATETIME>20260705183000\nACCESSION NUMBER:\t\t0000000007-26-000001\n"
        "CONFORMED SUBMISSION TYPE:\t4\nFILED AS OF DATE:\t\t20260706\n\nREPORTING-OWNER:\n\n"
        "\tOWNER DATA:\n\t\tCOMPANY CONFORMED NAME:\t\tDoe Jane\n\t\tCENTRAL INDEX KEY:\t\t0000000009\n\n"
        "ISSUER:\n\n\tCOMPANY DATA:\n\t\tCOMPANY CONFORMED NAME:\t\tAcme\n"
        "\t\tCENTRAL INDEX KEY:\t\t0000000007\n"
        "</SEC-HEADER>\n<DOCUMENT>\nFILER:\n"
    )
    found = only(parse("sec_edgar", text))
    assert (found.instrument, found.filer, found.form) == ("CIK0000000007.SEC", "Acme", "4")
    assert found.filed_at == parse_time("2026-07-05T22:30:00Z") and found.filed_on == "2026-07-06"
    assert found.ts_recv == RECV
    assert classes(parse("sec_edgar", text.replace("ISSUER:", "X").replace("REPORTING-OWNER:", "Y"))) == [
        "malformed"
    ]
    assert classes(parse("sec_edgar", text.replace("CONFORMED SUBMISSION TYPE", "X"))) == ["malformed"]


def test_a_submission_of_a_form_4_tells_the_form_too() -> None:
    head = (
        "<SEC-DOCUMENT>x\n<ACCEPTANCE-DATETIME>20260705183000\nACCESSION NUMBER:\t0000000007-26-000001\n"
        "CONFORMED SUBMISSION TYPE:\t4\nISSUER:\n\tCENTRAL INDEX KEY:\t7\n</SEC-HEADER>\n<DOCUMENT>\n<XML>\n"
    )
    filing, found = parse("sec_edgar", f"{head}{ownership(change())}\n</XML>\n</DOCUMENT>").facts
    assert filing.accession == found.accession == "0000000007-26-000001"
    assert (found.owner, found.instrument, len(found.transactions)) == ("Doe Jane", "ACME.US", 1)
    broken = parse("sec_edgar", f"{head}{ownership('<a>')}")
    assert len(broken.facts) == 1 and classes(broken) == ["malformed"]


def atom(*entries: str) -> str:
    return f'<feed xmlns="http://www.w3.org/2005/Atom"><title>Latest Filings</title>{"".join(entries)}</feed>'


def entry(role: str, cik: int, number: str = "0000000007-26-000001", title: str = "") -> str:
    return (
        f"<entry><title>{title or f'4 - NAME {cik} (CO) ({cik:010d}) ({role})'}</title>"
        f"<id>urn:tag:sec.gov,2008:accession-number={number}</id><updated>2026-01-12T11:27:39-05:00</updated></entry>"
    )


def test_a_filing_of_several_parties_is_about_its_issuer() -> None:
    for order in ([("Reporting", 9), ("Issuer", 7)], [("Issuer", 7), ("Reporting", 9)]):
        found = only(parse("sec_edgar", atom(*(entry(*each) for each in order))))
        assert (found.cik, found.filer, found.form) == ("0000000007", "NAME 7 (CO)", "4")


def test_bad_entries_cost_themselves_and_no_entries_say_nothing() -> None:
    parsed = parse(
        "sec_edgar", atom(entry("Filer", 7, "x"), entry("Filer", 7, title="odd"), entry("Filer", 8))
    )
    assert classes(parsed) == ["malformed"] * 2 and len(parsed.facts) == 1
    empty = parse("sec_edgar", atom())
    assert not said(empty) and not empty.rejects
