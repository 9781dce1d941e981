"""Books through the session: snapshots asked for, gaps, reconnects, answers that nobody asked for."""

from __future__ import annotations

from actors.feeds.base import Effects, FeedSettings, HttpRequest
from actors.feeds.binance import BinanceAdapter, adapter
from actors.feeds.binance.session import BinanceSession
from domain.clock import NS_PER_S
from domain.market.observations import BookDelta, BookSnapshot, Gap, InstrumentInfo
from tests.actors.feeds.binance.frames import (
    NOW,
    SPOT_WS,
    US_WS,
    combined,
    depth_frame,
    exchange_info,
    snapshot_body,
)

BTC = "BTC-USDT.BINANCE"
SETTINGS = FeedSettings(instruments=(BTC,), channels=("book",), backfill_bars=0)


def opened(settings: FeedSettings = SETTINGS) -> BinanceSession:
    session = adapter().session(settings)
    session.on_start(NOW)
    for endpoint in session.endpoints():
        session.on_open(endpoint.connection, NOW)
    return session


def answer(session: BinanceSession, request: HttpRequest, body: str, now: int = NOW) -> Effects:
    return session.on_response(request, 200, {}, body, now)


def live(last: int = 101) -> BinanceSession:
    """A session whose book stands at update `last`."""
    session = opened()
    request = session.on_frame(0, depth_frame(100, last), NOW).requests[0]
    assert answer(session, request, snapshot_body(100)).observations
    return session


def kinds(effects: Effects) -> list[str]:
    return [each.kind for each in effects.observations]


def test_the_first_diff_asks_for_a_snapshot_and_the_next_ones_do_not_ask_again() -> None:
    session = opened()
    (request,) = session.on_frame(0, depth_frame(100, 101), NOW).requests
    assert request.url == "https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000"
    assert (request.instrument, request.weight) == (BTC, 50)
    assert session.on_frame(0, depth_frame(102, 103), NOW).requests == []

    effects = answer(session, request, snapshot_body(101))
    assert kinds(effects) == ["book_snapshot", "book_delta"]
    snapshot, delta = effects.observations
    assert isinstance(snapshot, BookSnapshot)
    assert isinstance(delta, BookDelta)
    assert (snapshot.sequence, delta.prev_sequence, delta.sequence) == ((101, 101), 101, (102, 103))
    assert effects.resynced == []


def test_diffs_of_a_usable_book_pass_at_once() -> None:
    effects = live().on_frame(0, depth_frame(102, 104), NOW)
    assert kinds(effects) == ["book_delta"]
    assert effects.requests == []


def test_a_gap_makes_the_book_unusable_until_a_snapshot() -> None:
    session = live(101)
    broken = session.on_frame(0, depth_frame(105, 106), NOW)
    (gap,) = broken.observations
    assert isinstance(gap, Gap)
    assert (gap.channel, gap.first, gap.last, gap.opened) == ("book", 102, 104, True)
    assert len(broken.requests) == 1
    assert session.on_frame(0, depth_frame(107, 108), NOW).observations == []

    healed = answer(session, broken.requests[0], snapshot_body(106))
    assert kinds(healed) == ["book_snapshot", "gap", "book_delta"]
    assert healed.observations[1] == Gap(
        "binance", BTC, NOW, NOW, "book", gap.reason, first=102, last=104, opened=False
    )
    assert healed.resynced == [(BTC, "book")]


def test_a_snapshot_too_old_is_asked_for_again_after_a_delay() -> None:
    session = opened()
    request = session.on_frame(0, depth_frame(105, 106), NOW).requests[0]
    stale = answer(session, request, snapshot_body(100))
    assert stale.observations == []
    later = session.on_timer(NOW + 2 * NS_PER_S).requests
    assert [each.url for each in stale.requests + later] == [request.url]
    assert kinds(answer(session, later[0], snapshot_body(105))) == ["book_snapshot", "book_delta"]


def test_derivatives_follow_their_own_rule() -> None:
    session = opened(FeedSettings(instruments=("BTCUSDT.BINANCE_USDM",), channels=("book",), backfill_bars=0))
    request = session.on_frame(0, depth_frame(90, 110, pu=80), NOW).requests[0]
    assert request.url == "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT&limit=1000"
    session.on_frame(0, depth_frame(150, 160, pu=110), NOW)
    assert kinds(answer(session, request, snapshot_body(100))) == [
        "book_snapshot",
        "book_delta",
        "book_delta",
    ]
    (gap,) = session.on_frame(0, depth_frame(200, 210, pu=190), NOW).observations
    assert isinstance(gap, Gap)
    assert (gap.first, gap.last) == (161, 190)


def test_a_lost_socket_opens_a_gap_and_the_book_comes_back_by_snapshot() -> None:
    session = live(101)
    lost = session.on_close(0, "reset by peer", NOW)
    (gap,) = lost.observations
    assert isinstance(gap, Gap)
    assert (gap.channel, gap.reason, gap.instrument, gap.opened) == ("feed", "reset by peer", BTC, True)

    session.on_open(0, NOW + NS_PER_S)
    first = session.on_frame(0, depth_frame(102, 103), NOW + NS_PER_S)
    assert first.observations == []
    healed = answer(session, first.requests[0], snapshot_body(102), NOW + NS_PER_S)
    assert kinds(healed) == ["book_snapshot", "book_delta", "gap"]
    closed = healed.observations[-1]
    assert isinstance(closed, Gap)
    assert (closed.channel, closed.opened) == ("feed", False)
    assert healed.resynced == [(BTC, "book")]


def test_a_socket_lost_twice_opens_one_gap() -> None:
    session = live()
    session.on_close(0, "reset", NOW)
    session.on_open(0, NOW)
    assert session.on_close(0, "reset", NOW).observations == []


def test_a_renewed_socket_overlaps_without_gap_or_double() -> None:
    session = live(101)
    effects = session.on_open(0, NOW + NS_PER_S)
    assert effects.observations == []
    now = NOW + 2 * NS_PER_S
    assert kinds(session.on_frame(0, depth_frame(102, 105), now)) == ["book_delta"]
    assert kinds(session.on_frame(0, depth_frame(101, 103), now)) == []
    assert kinds(session.on_frame(0, depth_frame(104, 107), now)) == ["book_delta"]
    assert kinds(session.on_frame(0, depth_frame(110, 111), now)) == ["gap"]


def test_a_recording_without_settings_teaches_its_symbols() -> None:
    session = opened(FeedSettings())
    assert session.endpoints() == []
    session.on_open(0, NOW)
    effects = session.on_frame(0, depth_frame(100, 101), NOW, US_WS)
    assert sorted(request.url for request in effects.requests) == [
        "https://api.binance.us/api/v3/depth?symbol=BTCUSDT&limit=1000",
        "https://api.binance.us/api/v3/exchangeInfo",
    ]


def test_answers_that_nobody_asked_for_are_taken_by_their_address() -> None:
    session = opened(FeedSettings())
    listing = HttpRequest("https://api.binance.us/api/v3/exchangeInfo", "unsolicited")
    assert answer(session, listing, exchange_info()).observations == []
    depth = HttpRequest("https://api.binance.us/api/v3/depth?symbol=BTCUSDT&limit=1000", "unsolicited")
    held = answer(session, depth, snapshot_body(100))
    assert kinds(held) == ["instrument"]
    assert held.requests == []

    effects = session.on_frame(0, depth_frame(101, 102), NOW, US_WS)
    assert kinds(effects) == ["book_snapshot", "book_delta"]
    assert effects.observations[0].instrument == "BTC-USDT.BINANCE_US"
    assert effects.requests == []


def test_a_listing_describes_the_instruments_in_use_and_no_others() -> None:
    session = adapter().session(SETTINGS)
    (request,) = session.on_start(NOW).requests
    body = exchange_info().replace('"symbols":[', '"symbols":[{"symbol":"ETHUSDT"},')
    (info,) = answer(session, request, body).observations
    assert isinstance(info, InstrumentInfo)
    assert (info.instrument, info.base, info.tick_size) == (BTC, "BTC", 0.01)


def test_an_instrument_discovered_later_is_described_first() -> None:
    session = adapter().session(SETTINGS)
    (request,) = session.on_start(NOW).requests
    answer(session, request, exchange_info("ETHUSDT", "ETH", "USDT"))
    frame = combined("ethusdt@bookTicker", {"u": 1, "s": "ETHUSDT", "b": "1", "B": "1", "a": "2", "A": "1"})
    effects = session.on_frame(0, frame, NOW, SPOT_WS)
    assert [(each.kind, each.instrument) for each in effects.observations] == [
        ("instrument", "ETH-USDT.BINANCE"),
        ("quote", "ETH-USDT.BINANCE"),
    ]


def test_partial_depth_gives_way_to_a_book_built_from_diffs() -> None:
    session = opened()
    partial = combined("btcusdt@depth5", {"lastUpdateId": 99, "bids": [["1", "2"]], "asks": [["3", "4"]]})
    assert kinds(session.on_frame(0, partial, NOW)) == ["book_snapshot"]
    session.on_frame(0, depth_frame(100, 101), NOW)
    assert kinds(session.on_frame(0, partial, NOW)) == []


def test_one_session_spans_venues_and_keeps_their_books_apart() -> None:
    settings = FeedSettings(
        instruments=("BTC-USDT.BINANCE", "BTC-USDT.BINANCE_US"), channels=("book",), backfill_bars=0
    )
    session = opened(settings)
    urls = [endpoint.url for endpoint in session.endpoints()]
    assert urls == ["wss://stream.binance.com:9443/stream", "wss://stream.binance.us:9443/stream"]
    main = session.on_frame(0, depth_frame(1, 2), NOW).requests
    american = session.on_frame(1, depth_frame(1, 2), NOW).requests
    assert [each.url.split("/")[2] for each in main + american] == ["api.binance.com", "api.binance.us"]
    effects = answer(session, american[0], snapshot_body(1))
    assert {each.instrument for each in effects.observations} == {"BTC-USDT.BINANCE_US"}


def test_bad_frames_become_rejects_with_the_frame_kept() -> None:
    session = opened()
    effects = session.on_frame(0, "x" * 10_000, NOW)
    ((reject, kept),) = effects.rejects
    assert reject.reject_class == "malformed"
    assert kept == b"x" * 4096
    assert session.on_frame(0, '{"result":null,"id":1}', NOW) == Effects()
    refusal = session.on_frame(0, '{"error":{"code":2,"msg":"Invalid request"},"id":1}', NOW)
    assert [each.reject_class for each, _ in refusal.rejects] == ["bad_request"]


def test_the_adapter_matches_a_recorded_answer_by_path_and_symbol() -> None:
    binance = BinanceAdapter()
    asked = HttpRequest("https://api.binance.com/api/v3/depth?symbol=BTCUSDT&limit=1000", "book")
    assert binance.match(asked, "http://127.0.0.1:80/api/v1/depth?limit=5&symbol=BTCUSDT")
    assert not binance.match(asked, "https://api.binance.com/api/v3/depth?symbol=ETHUSDT&limit=1000")
    assert not binance.match(asked, "https://api.binance.com/api/v3/klines?symbol=BTCUSDT")
    assert not binance.match(asked, "https://fapi.binance.com/fapi/v1/depth?symbol=BTCUSDT")
    assert not binance.match(asked, "http://[bad")


def test_a_book_that_a_keeper_found_broken_comes_back_by_a_new_snapshot() -> None:
    session = live(101)
    doubted = session.resync(BTC, NOW)
    (gap,) = doubted.observations
    assert isinstance(gap, Gap)
    assert (gap.channel, gap.reason, gap.opened, gap.instrument) == ("book", "keeper", True, BTC)
    (request,) = doubted.requests
    assert "/depth?symbol=BTCUSDT" in request.url
    assert session.resync(BTC, NOW) == Effects(), "it has been asked for"
    assert session.on_frame(0, depth_frame(102, 103), NOW).observations == []

    healed = answer(session, request, snapshot_body(102))
    assert kinds(healed) == ["book_snapshot", "gap", "book_delta"]
    assert healed.resynced == [(BTC, "book")]
    assert kinds(session.on_frame(0, depth_frame(104, 104), NOW)) == ["book_delta"]


def test_what_has_no_book_to_lose_is_not_asked_for() -> None:
    assert opened().resync(BTC, NOW) == Effects()
    assert live().resync("ETH-USDT.BINANCE", NOW) == Effects()
    lost = live()
    lost.on_close(0, "reset", NOW)
    assert lost.resync(BTC, NOW) == Effects(), "the reconnect brings a snapshot"
