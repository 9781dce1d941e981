"""A text's score: the author's tag where there is one, else VADER with our words of finance.

VADER scores sentences. A text is the mean of its sentences that are not neutral, so that a long text does
not run to the ends of the scale by its length.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, NamedTuple

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

from domain.sentiment import finance

Label = Literal["bullish", "bearish"]

VADER_VERSION = "3.3.2"
"""What requirements/run.txt pins; a test compares."""
TAG_METHOD = "author_tag"
VADER_METHOD = f"vader-{VADER_VERSION}+finance-{finance.VERSION}"
MAX_TEXT_CHARS = 4_000
MAX_SENTENCE_CHARS = 400
"""VADER's time grows with the square of a sentence."""

_SENTENCE_ENDS = re.compile(r"(?<=[.!?])\s+|\n+")
_ADDRESS = re.compile(r"https?://\S+|www\.\S+")


class Score(NamedTuple):
    """`value` in [-1, 1]: 0 is neutral. None: there was nothing to judge."""

    value: float | None
    method: str


def judge(tag: Label | None, text: str) -> Score:
    """What the author said of it comes before what its words sound like."""
    if tag is not None:
        return Score(1.0 if tag == "bullish" else -1.0, TAG_METHOD)
    return score(text)


def score(text: str) -> Score:
    found = [_compound(sentence) for sentence in _sentences(text)]
    if not found:
        return Score(None, VADER_METHOD)
    moved = [value for value in found if value != 0.0]
    return Score(round(sum(moved) / len(moved), 4) if moved else 0.0, VADER_METHOD)


def _sentences(text: str) -> list[str]:
    plain = _ADDRESS.sub(" ", text[:MAX_TEXT_CHARS])
    found = [sentence.strip() for sentence in _SENTENCE_ENDS.split(plain)]
    return [sentence[:MAX_SENTENCE_CHARS] for sentence in found if sentence]


def _compound(sentence: str) -> float:
    scores: dict[str, float] = _analyzer().polarity_scores(_with_phrases(sentence))
    return float(scores["compound"])


def _with_phrases(sentence: str) -> str:
    """Several words that mean something together become one word of the lexicon."""
    return _phrases().sub(lambda match: f" {_names()[match.lastindex or 0]} ", sentence)


@lru_cache(maxsize=1)
def _analyzer() -> SentimentIntensityAnalyzer:
    analyzer = SentimentIntensityAnalyzer()
    for word in finance.NEUTRAL:
        analyzer.lexicon.pop(word, None)
    analyzer.lexicon.update(finance.WORDS)
    analyzer.lexicon.update({name: weight for name, _, weight in finance.PHRASES})
    return analyzer


@lru_cache(maxsize=1)
def _phrases() -> re.Pattern[str]:
    return re.compile(
        r"(?<![\w-])(?:" + "|".join(f"({pattern})" for _, pattern, _ in finance.PHRASES) + r")(?![\w-])",
        re.IGNORECASE,
    )


@lru_cache(maxsize=1)
def _names() -> tuple[str, ...]:
    """By the number of the pattern's group, from 1."""
    return ("", *(name for name, _, _ in finance.PHRASES))
