"""Every recorded payload of the SEC, field by field against the raw one."""

from __future__ import annotations

import re
from collections import defaultdict
from datetime import datetime
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

from domain.clock import NS_PER_S, parse_time
from tests.parsed import RECV, classes, only, parse_recorded, raw, said

SUBMISSIONS = "sec_edgar/submissions_CIK0000320193.json"
OLDER = "sec_edgar/submissions_CIK0000320193-001.json"
OLDER_URL = "https://data.sec.gov/submissions/CIK0000320193-submissions-001.json"
FACTS = "sec_edgar/companyfacts_CIK0001835632_MRVL.json"
ATOM = "{http://www.w3.org/2005/Atom}"


def new_york_ns(stamp: str) -> int:
    """`2023-08-08T18:30:28.000Z` with its Z taken for New York's."""
    moment = datetime.fromisoformat(stamp[:19]).replace(tzinfo=ZoneInfo("America/New_York"))
    return int(moment.timestamp()) * NS_PER_S


def test_apples_filings_field_by_field(shared_data: Path) -> None:
    parsed = parse_recorded(shared_data, "sec_edgar", SUBMISSIONS)
    body = raw(shared_data, SUBMISSIONS)
    recent = body["filings"]["recent"]
    profile, *filings = parsed.facts
    assert not parsed.rejects and len(filings) == 1000 == len(set(recent["accessionNumber"]))
    for index, filing in enumerate(filings):
        row = {name: column[index] for name, column in recent.items()}
        assert (filing.kind, filing.instrument, filing.provider) == ("filing", "AAPL.US", "sec_edgar")
        assert (filing.form, filing.accession, filing.filed_on) == (
            row["form"], row["accessionNumber"], row["filingDate"],
        )  # fmt: skip
        assert filing.period == (row["reportDate"] or None) and filing.filer == "Apple Inc."
        assert filing.filed_at == filing.ts_event == new_york_ns(row["acceptanceDateTime"])
        assert filing.items == tuple(item for item in row["items"].split(",") if item)
        assert filing.title == (row["primaryDocDescription"] or row["form"])
    assert filings[0].url == (
        "https://www.sec.gov/Archives/edgar/data/320193/000032019323000079/xslF345X05/wk-form4_1691533817.xml"
    )
    assert (profile.name, profile.symbol, profile.exchange, profile.industry) == (
        "Apple Inc.", "AAPL", "Nasdaq", "Electronic Computers",
    )  # fmt: skip
    assert profile.identifiers == {"cik": "0000320193", "ein": "942404110", "sic": "3571"}


def test_the_header_of_a_filing_proves_the_clock_of_the_list(shared_data: Path) -> None:
    document = only(parse_recorded(shared_data, "sec_edgar", "sec_edgar/aapl-8k-20191115.txt"))
    listed = parse_recorded(shared_data, "sec_edgar", SUBMISSIONS).facts
    (same,) = [each for each in listed if getattr(each, "accession", None) == document.accession]
    assert document.filed_at == same.filed_at == parse_time("2019-11-15T11:02:24Z")
    assert (document.form, document.period, document.filed_on) == ("8-K", "2019-11-07", "2019-11-15")
    assert document.items == ("Other Events", "Financial Statements and Exhibits")
    assert (document.instrument, document.cik, document.filer) == (
        "CIK0000320193.SEC",
        "0000320193",
        "Apple Inc.",
    )


def test_an_older_page_by_its_address_or_by_the_cik_in_its_name(shared_data: Path) -> None:
    by_address = parse_recorded(shared_data, "sec_edgar", OLDER, OLDER_URL)
    by_name = parse_recorded(shared_data, "sec_edgar", OLDER)
    page = raw(shared_data, OLDER)
    assert by_address.facts == by_name.facts and not by_address.rejects
    assert [each.accession for each in by_address.facts] == page["accessionNumber"]
    assert {each.instrument for each in by_address.facts} == {"CIK0000320193.SEC"}
    for filing, stamp, day in zip(
        by_address.facts, page["acceptanceDateTime"], page["filingDate"], strict=True
    ):
        is_day = stamp.endswith("T00:00:00.000Z")
        assert filing.filed_at == (parse_time(day) if is_day else new_york_ns(stamp))


def test_every_fact_of_a_company_is_in_one_statement(shared_data: Path) -> None:
    parsed = parse_recorded(shared_data, "sec_edgar", FACTS)
    body = raw(shared_data, FACTS)
    assert not parsed.rejects and {each.kind for each in parsed.facts} == {"statement"}
    raw_facts: dict[tuple[str, str | None, str], dict[str, float]] = defaultdict(dict)
    count = 0
    for tags in body["facts"].values():
        for tag, concept in tags.items():
            for rows in concept["units"].values():
                for row in rows:
                    raw_facts[row["accn"], row.get("start"), row["end"]].setdefault(tag, row["val"])
                    count += 1
    told = {(each.accession, each.period_start, each.period_end): each for each in parsed.facts}
    assert len(told) == len(parsed.facts) and told.keys() == raw_facts.keys()
    # A tag that is there in two units has the second one's name beside it.
    for key, values in raw_facts.items():
        assert {line: value for line, value in told[key].values.items() if ":" not in line} == values
    assert sum(len(each.values) for each in parsed.facts) == count == 8053
    assert {each.instrument for each in parsed.facts} == {"CIK0001835632.SEC"}
    assert {each.currency for each in parsed.facts} == {"USD"}


def test_a_report_of_a_company_field_by_field(shared_data: Path) -> None:
    facts = parse_recorded(shared_data, "sec_edgar", FACTS).facts
    mine = {
        (each.period, each.period_end): each for each in facts if each.accession == "0001835632-25-000197"
    }
    quarter, year_to_date = mine["quarterly", "2025-11-01"], mine["nine_months", "2025-11-01"]
    assert quarter.values["NetIncomeLoss"] == 1_901_300_000 and quarter.period_start == "2025-08-03"
    assert year_to_date.values["NetIncomeLoss"] == 2_274_000_000
    assert (quarter.fiscal_year, quarter.fiscal_period, quarter.filed_on) == (2026, "Q3", "2025-12-03")
    assert quarter.ts_event == parse_time("2025-11-01") and quarter.statement == "facts"
    assert ("instant", "2025-11-01") in mine


def test_the_list_of_tickers(shared_data: Path) -> None:
    parsed = parse_recorded(shared_data, "sec_edgar", "sec_edgar/company_tickers.json")
    rows = list(raw(shared_data, "sec_edgar/company_tickers.json").values())
    assert not parsed.rejects and len(parsed.observations) == len(parsed.facts) == len(rows)
    for row, info, profile in zip(rows, parsed.observations, parsed.facts, strict=True):
        assert (info.venue_symbol, info.asset_class) == (row["ticker"], "equity")
        assert info.aliases == (f"CIK{row['cik_str']:010d}",)
        assert (profile.name, profile.identifiers) == (row["title"], {"cik": f"{row['cik_str']:010d}"})
        assert info.instrument == profile.instrument
    ids = {info.venue_symbol: info.instrument for info in parsed.observations}
    assert len(set(ids.values())) == len(rows)
    assert (ids["BRK-B"], ids["JPM-PC"], ids["AAPL"]) == ("BRK.B.US", "JPM-PC.US", "AAPL.US")


def current(shared_data: Path, name: str) -> dict[str, Any]:
    parsed = parse_recorded(shared_data, "sec_edgar", f"sec_edgar/{name}")
    root = ElementTree.parse(shared_data / "sec_edgar" / name).getroot()
    numbers = [
        re.sub(r".*=", "", entry.findtext(f"{ATOM}id") or "") for entry in root.findall(f"{ATOM}entry")
    ]
    assert not parsed.rejects and len(numbers) == 100
    assert [each.accession for each in parsed.facts] == list(dict.fromkeys(numbers))
    return {each.accession: each for each in parsed.facts}


def test_the_newest_filings_come_once_each(shared_data: Path) -> None:
    found = current(shared_data, "getcurrent_atom_start0.xml")
    later = current(shared_data, "getcurrent_atom_start100.xml")
    assert len(found) == 73 and len(later) == 76
    first, of_insider = found["0002074440-26-000002"], found["0000080661-26-000032"]
    assert (first.form, first.filer, first.cik) == (
        "13F-HR",
        "Ryan Investment Management, Inc.",
        "0002074440",
    )
    assert first.filed_at == first.ts_event == parse_time("2026-01-12T16:27:39Z")
    assert first.filed_on == "2026-01-12" and first.instrument == "CIK0002074440.SEC"
    assert (of_insider.form, of_insider.filer) == ("4", "PROGRESSIVE CORP/OH/")
    assert of_insider.url == (
        "https://www.sec.gov/Archives/edgar/data/80661/000008066126000032/0000080661-26-000032-index.htm"
    )
    assert found["0000950103-26-000356"].items == ("3C", "3C.7")


def test_a_sale_by_an_officer(shared_data: Path) -> None:
    found = only(parse_recorded(shared_data, "sec_edgar", "sec_edgar/aapl-4-20201013.xml"))
    assert (found.kind, found.instrument, found.form, found.period) == (
        "ownership",
        "AAPL.US",
        "4",
        "2020-10-09",
    )
    assert (found.owner, found.relation) == ("Maestri Luca", "officer: Senior Vice President, CFO")
    (sale,) = found.transactions
    assert (sale.date, sale.code, sale.shares, sale.price) == ("2020-10-09", "S", -243431.0, 116.89)
    assert (sale.security, sale.owned_after, sale.derivative) == ("Common Stock", 110272.0, False)
    assert found.ts_event == parse_time("2020-10-09") and not found.holdings


def test_a_first_report_of_two_owners_is_one(shared_data: Path) -> None:
    found = only(parse_recorded(shared_data, "sec_edgar", "sec_edgar/form3.snow.nonderiv.xml"))
    assert (found.instrument, found.form, found.relation) == ("SNOW.US", "3", "10% owner")
    assert (found.owner, found.joint_owners) == ("BERKSHIRE HATHAWAY INC", ("BUFFETT WARREN E",))
    (holding,) = found.holdings
    assert (holding.security, holding.shares, holding.nature) == (
        "Class A Common Stock",
        6125376.0,
        "indirect",
    )
    assert not found.transactions


def test_a_notice_of_a_sale(shared_data: Path) -> None:
    parsed = parse_recorded(shared_data, "sec_edgar", "sec_edgar/apple.144.xml")
    filing, found = parsed.facts
    assert (filing.form, filing.filer, filing.accession, filing.filed_at) == ("144", "Apple Inc.", None, None)
    assert (found.owner, found.relation, found.form) == ("Luca Maestri", "director", "144")
    (sold,), (planned,) = found.transactions, found.planned
    assert (sold.date, sold.shares, sold.price) == ("2023-04-06", -200.0, 164.66)
    assert (planned.date, planned.shares, planned.price) == ("2023-04-13", -69996.0, None)
    assert filing.ts_event == found.ts_event == parse_time("2023-04-13")


def test_a_managers_holdings(shared_data: Path) -> None:
    path = "sec_edgar/13F-HR.infotable.xml"
    address = "https://www.sec.gov/Archives/edgar/data/1099219/000109921922000001/infotable.xml"
    bare, found = (parse_recorded(shared_data, "sec_edgar", path, where) for where in (None, address))
    space = "{http://www.sec.gov/edgar/document/thirteenf/informationtable}"
    rows = ElementTree.fromstring((shared_data / path).read_bytes().strip()).findall(f"{space}infoTable")
    assert not bare.rejects and len(bare.facts) == len(found.facts) == len(rows) == 255
    for row, each in zip(rows, found.facts, strict=True):
        (holding,) = each.holdings
        assert each.instrument == f"CUSIP{row.findtext(f'{space}cusip')}.SEC"
        assert holding.shares == float(row.findtext(f"{space}shrsOrPrnAmt/{space}sshPrnamt") or "nan")
        assert (each.owner, each.accession) == ("CIK0001099219", "0001099219-22-000001")
    assert {each.owner for each in bare.facts} == {None}
    assert bare.facts[0].holdings[0].security == "3M CO COM"


def test_documents_by_themselves_are_filings(shared_data: Path) -> None:
    cover = only(parse_recorded(shared_data, "sec_edgar", "sec_edgar/metlife.13F-HR.primarydoc.xml"))
    assert (cover.form, cover.filer, cover.period) == ("13F-HR", "METLIFE INC", "2021-12-31")
    assert cover.instrument == "CIK0001099219.SEC"
    offering = only(parse_recorded(shared_data, "sec_edgar", "sec_edgar/D.1685REIT.xml"))
    assert (offering.form, offering.filer, offering.cik) == ("D", "1685 38th REIT, L.L.C.", "0001961089")
    report = only(parse_recorded(shared_data, "sec_edgar", "sec_edgar/WatersCorp.8-K.xbrl.xml"))
    assert (report.form, report.instrument, report.period) == ("8-K", "WAT.US", "2024-01-08")
    assert (report.filer, report.cik, report.accession) == ("WATERS CORP /DE/", "0001000697", None)


def test_the_index_of_a_filing(shared_data: Path) -> None:
    found = only(parse_recorded(shared_data, "sec_edgar", "sec_edgar/0001213900-24-004875-index.json"))
    assert (found.accession, found.cik, found.form) == ("0001213900-24-004875", "0001648960", None)
    assert found.filed_at == parse_time("2024-01-19T21:21:45Z")


def test_an_unknown_company_is_not_found(shared_data: Path) -> None:
    parsed = parse_recorded(shared_data, "sec_edgar", "sec_edgar/submissions_unknown_cik_404.xml")
    assert classes(parsed) == ["not_found"] and not said(parsed)


def test_every_recording_is_understood(shared_data: Path) -> None:
    for file in sorted((shared_data / "sec_edgar").iterdir()):
        parsed = parse_recorded(shared_data, "sec_edgar", f"sec_edgar/{file.name}")
        assert bool(said(parsed)) != bool(parsed.rejects), file.name
        assert all(each.ts_recv == RECV for each in said(parsed))
