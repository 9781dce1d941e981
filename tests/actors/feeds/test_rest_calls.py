"""REST requests of a session: spacing, retries with a cap, Retry-After."""

from __future__ import annotations

import pytest

from actors.feeds.base import HttpRequest
from actors.feeds.rest_calls import (
    CAP_S,
    MAX_RETRIES,
    MAX_RETRY_AFTER_S,
    Budget,
    RestCalls,
    held_until,
    reject_class,
    retry_after_s,
)
from domain.clock import NS_PER_S, parse_time

NOW = parse_time("2026-01-01T00:00:00Z")


def test_requests_are_spaced() -> None:
    calls = RestCalls(0.5, 1)
    times = [calls.ask(f"https://x/{each}", "p", None, NOW).not_before for each in range(3)]
    assert times == [NOW, NOW + NS_PER_S // 2, NOW + NS_PER_S]
    assert calls.ask("https://x/9", "p", None, NOW + 10 * NS_PER_S).not_before == NOW + 10 * NS_PER_S


@pytest.mark.parametrize("status", [0, 429, 500, 503])
def test_a_passing_fault_is_retried_with_capped_delays_and_then_given_up(status: int) -> None:
    calls = RestCalls(0.1, 7)
    request: HttpRequest | None = calls.ask("https://x/a", "p", None, NOW)
    waits = []
    while request is not None:
        again = calls.again(request, status, {}, NOW)
        if again is not None:
            assert again.url == request.url and again.purpose == request.purpose
            waits.append((again.not_before - NOW) / NS_PER_S)
        request = again
    assert len(waits) == MAX_RETRIES
    assert max(waits) <= CAP_S
    assert len(set(waits)) == len(waits)


def test_equal_seeds_wait_equally_long() -> None:
    def wait(seed: int) -> int:
        calls = RestCalls(0.1, seed)
        again = calls.again(calls.ask("https://x/a", "p", None, NOW), 500, {}, NOW)
        assert again is not None
        return again.not_before

    assert wait(3) == wait(3)
    assert wait(3) != wait(4)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 451])
def test_our_own_fault_is_not_retried(status: int) -> None:
    calls = RestCalls(0.1, 1)
    assert calls.again(calls.ask("https://x/a", "p", None, NOW), status, {}, NOW) is None


def test_retry_after_holds_back_every_request_of_the_address() -> None:
    calls = RestCalls(0.1, 1)
    again = calls.again(calls.ask("https://x/a", "p", None, NOW), 429, {"Retry-After": "30"}, NOW)
    assert again is not None
    assert again.not_before >= NOW + 30 * NS_PER_S
    assert calls.ask("https://x/b", "p", None, NOW).not_before >= NOW + 30 * NS_PER_S


def test_one_slow_retry_does_not_hold_back_the_others() -> None:
    calls = RestCalls(0.1, 1)
    request = calls.ask("https://x/a", "p", None, NOW)
    for _ in range(MAX_RETRIES):
        calls.again(request, 500, {}, NOW)
    assert calls.ask("https://x/b", "p", None, NOW).not_before <= NOW + 2 * NS_PER_S


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30.0),
        ("Thu, 01 Jan 2026 00:01:00 GMT", 60.0),
        ("Wed, 31 Dec 2025 23:00:00 GMT", 0.0),
        ("999999999", MAX_RETRY_AFTER_S),
        ("soon", None),
        ("", None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, seconds: float | None) -> None:
    assert retry_after_s({"retry-after": text}, NOW) == seconds


@pytest.mark.parametrize("told", ["999999999", "9" * 400, "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_no_venue_can_stop_a_feed_for_longer_than_an_hour(told: str) -> None:
    headers = {"Retry-After": told}
    assert held_until(headers, NOW, 5.0) == NOW + int(MAX_RETRY_AFTER_S) * NS_PER_S
    calls = RestCalls(0.1, 1)
    again = calls.again(calls.ask("https://x/a", "p", None, NOW), 429, headers, NOW)
    assert again is not None
    assert again.not_before <= NOW + int(MAX_RETRY_AFTER_S + CAP_S) * NS_PER_S


def test_an_address_that_is_told_no_time_waits_the_default() -> None:
    for headers in ({}, {"Retry-After": "0"}, {"Retry-After": "Wed, 31 Dec 2025 23:00:00 GMT"}):
        assert held_until(headers, NOW, 5.0) == NOW + 5 * NS_PER_S


def test_a_budget_keeps_the_time_between_two_requests_and_the_weight_of_a_minute() -> None:
    budget = Budget(10, interval_s=1.0)
    assert budget.take(5, NOW)
    assert not budget.take(1, NOW)
    assert budget.take(3, NOW + NS_PER_S)
    assert not budget.take(1, NOW + 2 * NS_PER_S)
    assert budget.slot(NOW) == NOW + 2 * NS_PER_S


def test_a_paused_budget_gives_nothing_before_the_end_of_the_pause() -> None:
    budget = Budget(10)
    budget.pause(NOW + 5 * NS_PER_S)
    budget.pause(NOW + NS_PER_S)
    assert not budget.take(1, NOW + 5 * NS_PER_S - 1)
    assert budget.slot(NOW) == NOW + 5 * NS_PER_S
    assert budget.take(1, NOW + 5 * NS_PER_S)


def test_statuses_have_a_class() -> None:
    assert [reject_class(each) for each in (0, 400, 401, 403, 404, 429, 500)] == [
        "upstream",
        "bad_request",
        "auth",
        "entitlement",
        "not_found",
        "throttled",
        "upstream",
    ]
