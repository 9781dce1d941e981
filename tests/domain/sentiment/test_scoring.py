"""Scores of texts: tags first, finance words over VADER's, the same text the same score."""

from __future__ import annotations

import importlib.metadata
import time

import pytest
from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from domain.sentiment import finance
from domain.sentiment.scoring import TAG_METHOD, VADER_METHOD, VADER_VERSION, judge, score


@pytest.mark.parametrize(
    "text",
    [
        "downgraded to sell",
        "Goldman downgrades Apple to Underperform",
        "Shares plunge after profit warning",
        "Acme files for Chapter 11 bankruptcy",
        "Acme misses Wall Street estimates",
        "Acme slashes its full-year guidance",
        "Dividend suspended",
        "Stock hits 52-week low",
        "pump and dump, total rug pull",
        "Tech sell-off deepens",
    ],
)
def test_bad_news_scores_below_zero(text: str) -> None:
    assert -1.0 <= (score(text).value or 0.0) <= -0.25


@pytest.mark.parametrize(
    "text",
    [
        "upgraded to buy",
        "Morgan Stanley upgrades Acme to Overweight",
        "Acme beats estimates and raises guidance",
        "Acme raises its full-year profit forecast",
        "Price target lifted",
        "Stock soars to record high",
        "GME to the moon!",
        "Acme announces buyback",
    ],
)
def test_good_news_scores_above_zero(text: str) -> None:
    assert 0.25 <= (score(text).value or 0.0) <= 1.0


def test_plain_vader_is_blind_to_a_downgrade() -> None:
    assert SentimentIntensityAnalyzer().polarity_scores("downgraded to sell")["compound"] == 0.0


@pytest.mark.parametrize(
    "text", ["The company trades shares and pays interest on its debt", "crude oil, energy trust"]
)
def test_names_of_things_are_neutral(text: str) -> None:
    assert SentimentIntensityAnalyzer().polarity_scores(text)["compound"] != 0.0
    assert score(text).value == 0.0


def test_a_negation_turns_a_word_round() -> None:
    assert (score("not bearish").value or 0.0) > 0.0 > (score("bearish").value or 0.0)


@pytest.mark.parametrize("text", ["", "  \n ", "https://example.com/great/news"])
def test_nothing_to_judge_is_no_score(text: str) -> None:
    assert score(text) == (None, VADER_METHOD)


def test_a_tag_comes_before_the_words() -> None:
    assert judge("bearish", "to the moon, great, excellent") == (-1.0, TAG_METHOD)
    assert judge("bullish", "bankruptcy") == (1.0, TAG_METHOD)
    assert judge(None, "bankruptcy").method == VADER_METHOD


def test_neutral_sentences_do_not_dilute_and_length_does_not_exaggerate() -> None:
    alone = score("Acme was downgraded to sell.").value
    assert score("Acme was downgraded to sell. It is in Ohio. " * 3).value == alone


def test_the_method_names_both_versions() -> None:
    assert f"vader-{VADER_VERSION}+finance-{finance.VERSION}" == VADER_METHOD
    assert importlib.metadata.version("vaderSentiment") == VADER_VERSION


def test_weights_are_in_vaders_measure_and_words_once() -> None:
    weights = [*finance.WORDS.values(), *(weight for _, _, weight in finance.PHRASES)]
    assert all(-4.0 <= weight <= 4.0 for weight in weights)
    assert not finance.NEUTRAL & set(finance.WORDS)
    names = [name for name, _, _ in finance.PHRASES]
    assert len(set(names)) == len(names) and not set(names) & set(finance.WORDS)


@pytest.mark.parametrize(
    "text", ["good " * 50_000, "a" * 200_000, "!" * 100_000, "cut x " * 50_000, "\ud800 \x00"]
)
def test_a_long_or_odd_text_takes_no_time(text: str) -> None:
    begun = time.process_time()
    found = score(text).value
    assert found is None or -1.0 <= found <= 1.0
    assert time.process_time() - begun < 2.0
