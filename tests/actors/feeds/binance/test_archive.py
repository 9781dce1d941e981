"""Tables of data.binance.vision, in the shapes of https://github.com/binance/binance-public-data."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from actors.feeds.base import Assumed, Origin, Parsed, Reject
from actors.feeds.binance import adapter
from actors.feeds.payloads import Row, Unreadable, read_payloads
from domain.market.observations import Bar, BookSnapshot, Quote, Trade

KLINES = (
    "open_time,open,high,low,close,volume,close_time,quote_volume,count,"
    "taker_buy_volume,taker_buy_quote_volume,ignore\n"
)
BAR = "1705276800000,42000.1,42010.0,41990.0,42005.0,100.5,1705276859999,4221502.5,900,50.2,2108651.0,0\n"
BAR_US = (
    "1736899200000000,96560.8,96561.0,96490.0,96500.0,10.5,1736899259999999,1013250.0,15,5.0,482500.0,0\n"
)
MARK = "1705276800000,42000.1,42010.0,41990.0,42005.0,0,1705276859999,0,60,0,0,0\n"
AGG_SPOT = "2849000000,42000.10,0.01,3300000000,3300000001,1705276800123,True,True\n"
AGG = "agg_trade_id,price,quantity,first_trade_id,last_trade_id,transact_time,is_buyer_maker\n"
AGG_ROW = "200,42000.10,0.01,1,2,1705276800123,false\n"
TRADE_SPOT = "4400000000,96500.1,0.001,96.5,1736899200000123,False,True\n"
TRADES = "id,price,qty,quote_qty,time,is_buyer_maker\n"
TRADE_ROW = "4400,42000.1,0.001,42.0,1705276800123,true\n"
BOOK_TICKER = (
    "update_id,best_bid_price,best_bid_qty,best_ask_price,best_ask_qty,transaction_time,event_time\n"
    "1,42000.1,3.0,42000.2,4.0,1705276800123,1705276800125\n"
)
JAN_15_2024, JAN_15_2025 = 1_705_276_800 * 10**9, 1_736_899_200 * 10**9


def read(path: Path, assumed: Assumed | None = None) -> Parsed:
    whole = Parsed([], [])
    for entry in read_payloads(path, adapter(), assumed or Assumed()):
        if isinstance(entry, Unreadable):
            whole.rejects.append(Reject("malformed", entry.damage.reason))
        else:
            assert isinstance(entry, Row)
            whole.observations += entry.parsed.observations
            whole.rejects += entry.parsed.rejects
    return whole


def written(folder: Path, name: str, text: str) -> Path:
    """A table as it is downloaded (`.zip`) or unpacked."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(path.with_suffix(".csv").name, text)
    else:
        path.write_text(text)
    return path


@pytest.mark.parametrize("end", ["zip", "csv"])
@pytest.mark.parametrize(
    ("name", "text", "instrument", "ts_event", "value"),
    [
        ("spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-01-15", BAR_US, "BTCUSDT.BINANCE", JAN_15_2025, 96500),
        ("my/trades/BTCUSDT-1m-2024-01", BAR, "BTCUSDT.BINANCE", JAN_15_2024, 42005.0),
        ("spot/monthly/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01", BAR, "BTCUSDT.BINANCE", JAN_15_2024, 42005.0),
        (
            "futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-15",
            KLINES + BAR, "BTCUSDT.BINANCE_USDM", JAN_15_2024, 42005.0,
        ),
        (
            "futures/cm/daily/klines/BTCUSD_PERP/1m/BTCUSD_PERP-1m-2024-01-15",
            KLINES + BAR, "BTCUSD_PERP.BINANCE_COINM", JAN_15_2024, 42005.0,
        ),
        (
            "spot/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-01-15",
            AGG_SPOT, "BTCUSDT.BINANCE", JAN_15_2024 + 123_000_000, 42000.1,
        ),
        (
            "futures/um/daily/aggTrades/BTCUSDT/BTCUSDT-aggTrades-2024-01-15",
            AGG + AGG_ROW, "BTCUSDT.BINANCE_USDM", JAN_15_2024 + 123_000_000, 42000.1,
        ),
        (
            "futures/cm/daily/aggTrades/BTCUSD_240329/BTCUSD_240329-aggTrades-2024-01-15",
            AGG_ROW, "BTCUSD_240329.BINANCE_COINM", JAN_15_2024 + 123_000_000, 42000.1,
        ),
        (
            "spot/daily/trades/BTCUSDT/BTCUSDT-trades-2025-01-15",
            TRADE_SPOT, "BTCUSDT.BINANCE", JAN_15_2025 + 123_000, 96500.1,
        ),
        (
            "futures/um/daily/trades/BTCUSDT/BTCUSDT-trades-2024-01-15",
            TRADES + TRADE_ROW, "BTCUSDT.BINANCE_USDM", JAN_15_2024 + 123_000_000, 42000.1,
        ),
        (
            "futures/um/daily/bookTicker/BTCUSDT/BTCUSDT-bookTicker-2024-01-15",
            BOOK_TICKER, "BTCUSDT.BINANCE_USDM", JAN_15_2024 + 123_000_000, 42000.1,
        ),
        # Without its folders: what letters and columns still tell.
        ("BTCUSD_PERP-1m-2024-01-15", KLINES + BAR, "BTCUSD_PERP.BINANCE_COINM", JAN_15_2024, 42005.0),
        ("BTCUSDT-1m-2024-01-15", BAR, "BTCUSDT.BINANCE", JAN_15_2024, 42005.0),
        ("BTCUSDT-aggTrades-2024-01", AGG_SPOT, "BTCUSDT.BINANCE", JAN_15_2024 + 123_000_000, 42000.1),
        ("BTCUSDT-trades-2024-01", TRADE_ROW, "BTCUSDT.BINANCE_USDM", JAN_15_2024 + 123_000_000, 42000.1),
    ],
)  # fmt: skip
def test_a_table_is_what_its_folders_name_and_columns_say(
    tmp_path: Path, name: str, end: str, text: str, instrument: str, ts_event: int, value: float
) -> None:
    parsed = read(written(tmp_path, f"data/{name}.{end}", text))
    assert parsed.rejects == []
    (row,) = parsed.observations
    told = row.close if isinstance(row, Bar) else row.price if isinstance(row, Trade) else row.bid
    assert (row.instrument, row.ts_event, told) == (instrument, ts_event, value)


def test_sides_sizes_and_ids_of_trades(tmp_path: Path) -> None:
    (agg,) = read(written(tmp_path, "spot/BTCUSDT-aggTrades-2024-01-15.csv", AGG_SPOT)).observations
    (trade,) = read(written(tmp_path, "spot/BTCUSDT-trades-2025-01-15.csv", TRADE_SPOT)).observations
    (quote,) = read(written(tmp_path, "BTCUSDT-bookTicker-2024-01-15.csv", BOOK_TICKER)).observations
    assert isinstance(agg, Trade) and isinstance(trade, Trade) and isinstance(quote, Quote)
    assert (agg.side, agg.size, agg.trade_id) == ("sell", 0.01, "2849000000")
    assert (trade.side, trade.size, trade.trade_id) == ("buy", 0.001, "4400000000")
    assert (quote.bid, quote.bid_size, quote.ask, quote.ask_size) == (42000.1, 3.0, 42000.2, 4.0)


@pytest.mark.parametrize(("name", "interval"), [("1m", "1m"), ("12h", "12h"), ("1mo", "1M"), ("1d", "1d")])
def test_an_interval_is_the_names_as_the_api_writes_it(tmp_path: Path, name: str, interval: str) -> None:
    (bar,) = read(written(tmp_path, f"spot/BTCUSDT-{name}-2024-01.csv", BAR)).observations
    assert isinstance(bar, Bar)
    assert (bar.interval, bar.closed, bar.trades) == (interval, True, 900)


@pytest.mark.parametrize(
    "name",
    [
        "data/futures/um/daily/markPriceKlines/BTCUSDT/1m/BTCUSDT-1m-2024-01-15.zip",
        "data/futures/um/monthly/indexPriceKlines/BTCUSDT/1h/BTCUSDT-1h-2024-01.zip",
        "data/futures/cm/daily/premiumIndexKlines/BTCUSD_PERP/1m/BTCUSD_PERP-1m-2024-01-15.csv",
        "BTCUSDT-markPriceKlines-1m-2024-01-15.csv",
        "markpriceklines_BTCUSDT-1m-2024-01-15.csv",
    ],
)
@pytest.mark.parametrize("text", [BAR, KLINES + BAR, KLINES + MARK])
def test_bars_of_other_prices_are_refused_by_name(tmp_path: Path, name: str, text: str) -> None:
    parsed = read(written(tmp_path, name, text))
    assert parsed.observations == []
    (reject,) = parsed.rejects
    assert reject.reject_class == "unsupported"
    assert "PriceKlines" in reject.reason or "premiumIndexKlines" in reject.reason


@pytest.mark.parametrize(
    "row",
    [
        MARK,
        "1705276800000,0.0002,0.0003,-0.0001,0.0001,0,1705276859999,0,12,0,0,0\n",
        "1705276800000,42000.1,42010.0,41990.0,42005.0,0,1705276859999,0,0,0,0,0\n",
    ],
)
def test_bars_of_other_prices_are_known_without_their_folders(tmp_path: Path, row: str) -> None:
    parsed = read(written(tmp_path, "BTCUSDT-1m-2024-01-15.csv", KLINES + row * 3))
    assert parsed.observations == []
    assert [reject.reject_class for reject in parsed.rejects] == ["unsupported"]
    assert "no bar of trades" in parsed.rejects[0].reason


def test_a_minute_without_trades_is_a_bar(tmp_path: Path) -> None:
    quiet = "1705276800000,5.0,5.0,5.0,5.0,0.00,1705276859999,0.0,0,0,0,0\n"
    (bar,) = read(written(tmp_path, "BTCUSDT-1m-2024-01-15.csv", quiet)).observations
    assert isinstance(bar, Bar)
    assert (bar.close, bar.volume, bar.trades) == (5.0, 0.0, 0)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("BTCUSDT-bookDepth-2024-01-15.csv", "timestamp,percentage,depth,notional\n00:07,-5,1,2\n"),
        ("BTCUSDT-metrics-2024-01-15.csv", "create_time,symbol,sum_open_interest,x\n2024-01-15,BTCUSDT,1,2"),
        ("BTCUSDT-fundingRate-2024-01.csv", "1704067200000,8,0.0003,0\n"),
        ("BTCUSDT-liquidationSnapshot-2023-06-25.zip", "1687651200000,BUY,LIMIT,IOC,0.1,30000,30000\n"),
        ("BTCBVOLUSDT-BVOLIndex-2023-06-25.csv", "calc_time,symbol,base_asset,quote_asset,index_value\n"),
        ("BTCUSDT-EOHSummary-2023-05-18.csv", "date,hour,symbol,underlying,type\n"),
        ("renamed.csv", "create_time,symbol,sum_open_interest,x\n2024-01-15,BTCUSDT,1,2\n"),
        ("prices.csv", "date,open,high,low,close\n2024-01-15,1,2,3,4\n"),
    ],
)  # fmt: skip
def test_tables_of_something_else_are_refused_once_with_a_reason(
    tmp_path: Path, name: str, text: str
) -> None:
    parsed = read(written(tmp_path, name, text))
    assert parsed.observations == []
    (reject,) = parsed.rejects
    assert reject.reject_class == "unsupported"
    assert len(reject.reason) > 20


def test_a_renamed_table_is_known_by_its_header_and_what_the_caller_says(tmp_path: Path) -> None:
    path = written(tmp_path, "mine.csv", KLINES + BAR)
    (reject,) = read(path).rejects
    assert (reject.reject_class, "--symbol" in reject.reason) == ("malformed", True)
    (bar,) = read(path, Assumed("BINANCE_USDM", "BTC-USDT")).observations
    assert isinstance(bar, Bar)
    assert (bar.instrument, bar.interval) == ("BTCUSDT.BINANCE_USDM", "1m")


def test_the_callers_venue_counts_where_folders_say_none_and_not_against_them(tmp_path: Path) -> None:
    assumed = Assumed("BINANCE_US")
    bare = read(written(tmp_path, "BTCUSDT-1m-2024-01-15.csv", BAR), assumed)
    told = read(written(tmp_path, "futures/um/klines/BTCUSDT-1m-2024-01-15.csv", BAR), assumed)
    assert [each.instrument for each in bare.observations + told.observations] == [
        "BTCUSDT.BINANCE_US",
        "BTCUSDT.BINANCE_USDM",
    ]


def test_tables_put_together_keep_their_rows_and_a_bad_row_costs_that_row(tmp_path: Path) -> None:
    text = KLINES + BAR + KLINES + "x" + BAR + "1,2\n" + "\n" + BAR
    parsed = read(written(tmp_path, "spot/BTCUSDT-1m-2024-01-15.csv", text))
    assert len(parsed.observations) == 2
    assert [reject.reason.partition(":")[0] for reject in parsed.rejects] == ["klines row 1", "klines row 2"]


def test_a_table_without_rows_gives_nothing_and_no_reject(tmp_path: Path) -> None:
    parsed = read(written(tmp_path, "spot/BTCUSDT-1m-2024-01-15.csv", KLINES))
    assert (parsed.observations, parsed.rejects) == ([], [])


def test_a_checksum_is_no_data(tmp_path: Path) -> None:
    path = written(tmp_path, "BTCUSDT-1m-2024-01-15.zip.CHECKSUM", "aa11  BTCUSDT-1m-2024-01-15.zip\n")
    (entry,) = read_payloads(path, adapter())
    assert not isinstance(entry, Row | Unreadable)
    (reject,) = adapter().parse(entry.body, entry.origin).rejects
    assert reject.reject_class == "unsupported"
    assert "checksum" in reject.reason


def test_a_snapshot_in_rows_is_one_snapshot_however_long(tmp_path: Path) -> None:
    header = "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu\n"
    rows = "".join(f"BTCUSDT,1667346579146,9,9,b,snap,{price}.0,1.0,-1\n" for price in range(100, 5000))
    (book,) = read(written(tmp_path, "BTCUSDT_T_DEPTH_2022-11-02_depth_snap.csv", header + rows)).observations
    assert isinstance(book, BookSnapshot)
    assert (book.instrument, len(book.bids)) == ("BTCUSDT.BINANCE_USDM", 4900)


def test_rows_of_one_update_are_one_change_and_a_bad_time_costs_its_update(tmp_path: Path) -> None:
    header = "symbol,timestamp,first_update_id,last_update_id,side,update_type,price,qty,pu\n"
    rows = [
        "BTCUSDT,1667347199939,10,12,a,set,20472.8,0.0,9\n",
        "BTCUSDT,1667347199939,10,12,b,set,20470.1,2.0,9\n",
        "BTCUSDT,1667347199950,13,14,b,set,20470.2,1.0,12\n",
        "BTC USDT,1667347199960,15,16,b,set,20470.2,1.0,14\n",
    ]
    parsed = read(written(tmp_path, "BTCUSDT_T_DEPTH_2022-11-02_depth_update.csv", header + "".join(rows)))
    assert [(each.sequence, each.prev_sequence) for each in parsed.observations] == [
        ((10, 12), 9),
        ((13, 14), 12),
    ]
    first = parsed.observations[0]
    assert (first.bids, first.asks) == (((20470.1, 2.0),), ((20472.8, 0.0),))
    assert [reject.reject_class for reject in parsed.rejects] == ["malformed"]


def test_a_whole_table_given_at_once_reads_as_its_rows(tmp_path: Path) -> None:
    path = written(tmp_path, "spot/BTCUSDT-1m-2024-01-15.csv", KLINES + BAR + MARK)
    at_once = adapter().parse(path.read_bytes(), Origin("file", 0, path.name))
    assert len(at_once.observations) == 1
    assert [reject.reject_class for reject in at_once.rejects] == ["unsupported"]
    assert [reject.reason for reject in read(path).rejects] == [reject.reason for reject in at_once.rejects]
