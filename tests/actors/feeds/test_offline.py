"""A session over recorded lines: who is told what, when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from actors.feeds.base import Effects, Endpoint, FeedSettings, HttpRequest, Origin, Parsed, Reject
from actors.feeds.capture import CaptureLine, Damaged, Placed
from actors.feeds.offline import play

S = 1_000_000_000


class DiarySession:
    """Writes down every call; asks for `/book` when a frame says so."""

    def __init__(self) -> None:
        self.diary: list[tuple[object, ...]] = []

    def endpoints(self) -> Sequence[Endpoint]:
        return []

    def on_start(self, now: int) -> Effects:
        self.diary.append(("start", now))
        return Effects(requests=[HttpRequest("https://here/list", "list")])

    def on_open(self, connection: int, now: int) -> Effects:
        self.diary.append(("open", connection))
        return Effects()

    def on_frame(self, connection: int, frame: str | bytes, now: int, endpoint: str = "") -> Effects:
        self.diary.append(("frame", connection, frame, now, endpoint))
        if frame == "ask":
            return Effects(requests=[HttpRequest("https://here/book?n=1", "book")])
        return Effects(rejects=[(Reject("malformed", "bad"), b"bad")] if frame == "bad" else [])

    def on_close(self, connection: int, reason: str, now: int) -> Effects:
        self.diary.append(("close", connection, reason))
        return Effects()

    def on_response(
        self, request: HttpRequest, status: int, headers: Mapping[str, str], body: str | bytes, now: int
    ) -> Effects:
        self.diary.append(("answer", request.purpose, request.url, status, body))
        return Effects()

    def resync(self, instrument: str, now: int) -> Effects:
        return Effects()

    def on_timer(self, now: int) -> Effects:
        self.diary.append(("timer", now))
        return Effects()


class DiaryAdapter:
    name = "diary"

    def __init__(self) -> None:
        self.last = DiarySession()

    def parse(self, payload: str | bytes, origin: Origin) -> Parsed:
        return Parsed()

    def session(self, settings: FeedSettings) -> DiarySession:
        return self.last

    def match(self, request: HttpRequest, endpoint: str) -> bool:
        return request.url.split("?")[0].endswith(endpoint.rsplit("/", 1)[-1].split("?")[0])


def diary(*entries: CaptureLine | Damaged) -> list[tuple[object, ...]]:
    adapter = DiaryAdapter()
    placed = [Placed("f", number, entry) for number, entry in enumerate(entries, start=1)]
    for _ in play(adapter, placed):
        pass
    return [entry for entry in adapter.last.diary if entry[0] != "timer"]


def ws(ts: int, frame: str, endpoint: str = "wss://a", conn: int | None = None) -> CaptureLine:
    return CaptureLine(ts, "ws", endpoint, frame, conn)


def test_a_connection_is_opened_when_its_first_frame_comes() -> None:
    assert diary(ws(S, "x"), ws(2 * S, "y")) == [
        ("start", S),
        ("open", 0),
        ("frame", 0, "x", S, "wss://a"),
        ("frame", 0, "y", 2 * S, "wss://a"),
    ]


def test_without_a_number_every_address_is_a_connection() -> None:
    told = diary(ws(1, "x", "wss://a"), ws(2, "y", "wss://b"), ws(3, "z", "wss://a"))
    assert [entry[:3] for entry in told if entry[0] == "frame"] == [
        ("frame", 0, "x"),
        ("frame", 1, "y"),
        ("frame", 0, "z"),
    ]


def test_a_recorded_number_is_kept() -> None:
    told = diary(ws(1, "x", conn=3), ws(2, "y", conn=1), ws(3, "z", "wss://other", conn=3))
    assert [entry[:3] for entry in told if entry[0] == "frame"] == [
        ("frame", 3, "x"),
        ("frame", 1, "y"),
        ("frame", 3, "z"),
    ]


def test_open_and_close_lines_are_passed_on_and_a_frame_after_a_close_opens_again() -> None:
    told = diary(
        CaptureLine(1, "open", "wss://a", conn=0),
        ws(2, "x", conn=0),
        CaptureLine(3, "close", "wss://a", "reset by peer", 0),
        CaptureLine(4, "close", "wss://a", "again", 0),
        ws(5, "y", conn=0),
    )
    assert [entry[:3] for entry in told[1:]] == [
        ("open", 0),
        ("frame", 0, "x"),
        ("close", 0, "reset by peer"),
        ("open", 0),
        ("frame", 0, "y"),
    ]


def test_a_second_open_of_an_open_connection_is_a_planned_reconnect() -> None:
    told = diary(CaptureLine(1, "open", conn=0), CaptureLine(2, "open", conn=0))
    assert told[1:] == [("open", 0), ("open", 0)]


def test_a_recorded_answer_goes_to_the_request_that_waits_for_it() -> None:
    told = diary(ws(1, "ask"), ws(2, "x"), CaptureLine(3, "http", "https://there/book?n=2", "{}"))
    assert told[-1] == ("answer", "book", "https://here/book?n=1", 200, "{}")


def test_a_request_is_answered_once_and_a_second_answer_is_unsolicited() -> None:
    answer = CaptureLine(3, "http", "https://there/book", "{}", status=429)
    told = diary(ws(1, "ask"), answer, answer)
    assert told[-2:] == [
        ("answer", "book", "https://here/book?n=1", 429, "{}"),
        ("answer", "unsolicited", "https://there/book", 429, "{}"),
    ]


def test_time_never_goes_back() -> None:
    told = diary(ws(5 * S, "x"), ws(3 * S, "y"), ws(6 * S, "z"))
    assert [entry[3] for entry in told if entry[0] == "frame"] == [5 * S, 5 * S, 6 * S]


def test_the_timer_runs_as_time_moves_on() -> None:
    adapter = DiaryAdapter()
    times = [S, S + 50_000_000, S + 120_000_000, S + 130_000_000, 3 * S]
    for _ in play(adapter, [Placed("f", 1, ws(time, "x")) for time in times]):
        pass
    assert [entry[1] for entry in adapter.last.diary if entry[0] == "timer"] == [S + 120_000_000, 3 * S]


def test_a_damaged_line_is_a_rejected_frame_at_its_place() -> None:
    placed = [
        Placed("f", 1, ws(S, "bad")),
        Placed("f", 2, Damaged("not JSON", b"{")),
        Placed("f", 3, ws(2 * S, "x")),
    ]
    steps = list(play(DiaryAdapter(), placed))
    assert [(step.line, step.frames, len(step.rejects)) for step in steps] == [
        (1, 1, 1),
        (2, 1, 1),
        (3, 1, 0),
    ]
    assert steps[1].rejects == [(Reject("malformed", "not JSON"), b"{")]
    assert steps[1].clock == S
