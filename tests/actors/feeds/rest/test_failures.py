"""What a provider's error says, and what of it may be kept."""

from __future__ import annotations

import pytest

from actors.feeds.base import Origin
from actors.feeds.rest.failures import class_of, clean, refusal

DAILY = (
    "We have detected your API key as {key} and our standard API rate limit is 25 requests per day. Please "
    "subscribe to any of the premium plans at https://www.alphavantage.co/premium/ to remove all limits."
)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("API limit reached. Please try again later.", "throttled"),
        ("You have run out of API credits for the current minute. 9 API credits were used.", "throttled"),
        (
            "You've exceeded the maximum requests per minute, please upgrade your plan",
            "throttled",
        ),
        (DAILY, "throttled"),
        ("Our standard API call frequency is 5 calls per minute; visit our premium page", "throttled"),
        ("SEC.gov | Request Rate Threshold Exceeded", "throttled"),
        ("You don't have access to this resource.", "entitlement"),
        ("You don\u2019t have access to this resource.", "entitlement"),
        ("Thank you! This is a premium endpoint.", "entitlement"),
        ("Invalid API key", "auth"),
        ("Unknown API Key", "auth"),
        ("the parameter apikey is invalid or missing. Please claim your free API key", "auth"),
        ("**apikey** parameter is incorrect or not specified.", "auth"),
        ("The API key provided is not valid.", "auth"),
        ("Invalid API call. Please retry or visit the documentation for TIME_SERIES_DAILY.", "bad_request"),
        ("Unknown symbol", "not_found"),
        ("503 Service Temporarily Unavailable", "upstream"),
        ("something else", None),
    ],
)
def test_the_words_of_an_error_give_its_class(text: str, found: str | None) -> None:
    assert class_of(text) == found


def test_a_status_decides_only_where_the_words_say_nothing() -> None:
    def at(status: int | None) -> Origin:
        return Origin("http", 0, "https://x.test/a", status=status)

    assert refusal("Request Rate Threshold Exceeded", at(403)).reject_class == "throttled"
    assert refusal("", at(403)).reject_class == "entitlement"
    assert refusal("odd", at(200)).reject_class == "bad_request"
    assert refusal("odd", at(None), otherwise="malformed").reject_class == "malformed"


@pytest.mark.parametrize("key", ["KEYV", "ABCD1234EFGH5678", "demo", "a-b_c.9"])
def test_the_key_is_cut_out_of_what_the_provider_says(key: str) -> None:
    assert key not in clean(DAILY.format(key=key), Origin("http", 0))


def test_values_of_secret_parameters_are_cut_wherever_they_stand() -> None:
    origin = Origin("http", 0, "https://x.test/a?symbol=AAPL&token=sesame")
    assert "sesame" not in clean("who is sesame, and https://x.test/?token=other", origin)
    assert "other" not in clean("see https://x.test/?token=other", origin)
    assert clean("Invalid API key: abc", origin) == "Invalid API key: [cut]"
