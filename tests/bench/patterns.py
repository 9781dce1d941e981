"""How well chart patterns are found in a labelled set, and how long a scan of a market takes.

A drawn figure is found when a confirmed event of its name covers it (shared rows at least half of all
rows of either). Every other confirmed event in the set, distractors included, is a false one, save for
what a figure contains by definition (`Sample.implied`) and a second sight of the figure itself. Random
walks are counted apart, per 10,000 bars: what looks like a figure there is one, by chance.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

import numpy as np
from msgspec import Struct

from domain.patterns.events import CHART_PATTERNS, PatternEvent
from domain.patterns.scanner import PatternScanner
from tests.bench.rows import Row, Scale, quiet, seconds
from tests.patterns_set import FIGURES, NOISE, Sample, distractor, random_walk, samples
from tests.patterns_textbook import TEXTBOOK, textbook

PER_PATTERN, SEED = 300, 2024
"""The seed is for the report alone: constants are chosen on others, see docs/patterns.md."""
DISTRACTORS_PER_FIGURE = 2
WALKS, WALK_BARS = 100, 1_000
SYMBOLS, YEAR_BARS = 500, 8_760
MEASURED_SYMBOLS = 15


class Tally(Struct):
    """By pattern: drawn figures, found ones, false confirmed events."""

    drawn: Counter[str]
    found: Counter[str]
    false: Counter[str]

    def recall(self, pattern: str) -> float:
        return self.found[pattern] / max(1, self.drawn[pattern])

    def precision(self, pattern: str) -> float:
        """1 where nothing was said."""
        said = self.found[pattern] + self.false[pattern]
        return self.found[pattern] / said if said else 1.0


def group(scale: Scale) -> list[Row]:
    rows: list[Row] = []
    count = scale.of(PER_PATTERN, least=2)
    for level, noise in NOISE.items():
        tally = tallied(count if level == "middle" else max(2, count // 3), noise, SEED)
        suffix = "" if level == "middle" else f"_{level}_noise"
        for name in CHART_PATTERNS:
            n = tally.drawn[name]
            rows.append(Row(f"pattern_precision{suffix}", tally.precision(name), "share", n, name))
            rows.append(Row(f"pattern_recall{suffix}", tally.recall(name), "share", n, name))
    rows += _textbook(max(3, count // 3))
    return [*rows, *_false_alarms(scale.of(WALKS, least=2)), _speed(scale.of(MEASURED_SYMBOLS))]


def tallied(per_pattern: int, noise: float, seed: int) -> Tally:
    tally = Tally(Counter(), Counter(), Counter())
    for name in FIGURES:
        for sample in samples(name, per_pattern, noise, seed):
            _count(sample, scan(sample.bars), tally)
        for number in range(DISTRACTORS_PER_FIGURE * per_pattern // len(FIGURES) + 1):
            rng = np.random.default_rng([seed, sorted(FIGURES).index(name), number, 1])
            sample = distractor(noise, rng)
            _count(sample, scan(sample.bars), tally)
    return tally


def _textbook(per_pattern: int) -> Iterator[Row]:
    tally = tallied_textbook(per_pattern, SEED)
    for name in TEXTBOOK:
        n = tally.drawn[name]
        yield Row("pattern_precision_textbook", tally.precision(name), "share", n, name)
        yield Row("pattern_recall_textbook", tally.recall(name), "share", n, name)


def tallied_textbook(per_pattern: int, seed: int) -> Tally:
    """The set drawn by other rules; no distractors."""
    tally = Tally(Counter(), Counter(), Counter())
    for name in TEXTBOOK:
        for sample in textbook(name, per_pattern, seed):
            _count(sample, scan(sample.bars), tally)
    return tally


def scan(bars: np.ndarray) -> list[PatternEvent]:
    """(n, 4) -> all events; rows stand for times."""
    scanner = PatternScanner()
    return [event for row, bar in enumerate(bars.tolist()) for event in scanner.observe(row, *bar)]


def _count(sample: Sample, events: list[PatternEvent], tally: Tally) -> None:
    confirmed = [event for event in events if event.state == "confirmed"]
    if sample.pattern is not None:
        tally.drawn[sample.pattern] += 1
        tally.found[sample.pattern] += any(_covers(event, sample) for event in confirmed)
    for event in confirmed:
        again = event.pattern == sample.pattern and _shared(event, sample) > 0
        if not again and event.pattern not in sample.implied:
            tally.false[event.pattern] += 1


def _covers(event: PatternEvent, sample: Sample) -> bool:
    if event.pattern != sample.pattern:
        return False
    whole = max(event.anchors[-1].row, sample.last) - min(event.anchors[0].row, sample.first)
    return 2 * _shared(event, sample) >= whole


def _shared(event: PatternEvent, sample: Sample) -> int:
    """Rows of both."""
    return min(event.anchors[-1].row, sample.last) - max(event.anchors[0].row, sample.first)


def _false_alarms(walks: int) -> list[Row]:
    counted: Counter[str] = Counter()
    for number in range(walks):
        walk = random_walk(WALK_BARS, np.random.default_rng([SEED, 9, number]))
        counted.update(event.pattern for event in scan(walk) if event.state == "confirmed")
    bars = walks * WALK_BARS
    per_10k = 1e4 / bars
    each = [
        Row("pattern_false_per_10k", counted[name] * per_10k, "events", bars, name) for name in CHART_PATTERNS
    ]
    return [Row("pattern_false_per_10k", counted.total() * per_10k, "events", bars, "all patterns"), *each]


def _speed(symbols: int) -> Row:
    """CPU seconds of one process, measured on `symbols` and scaled to 500."""
    walks = [random_walk(YEAR_BARS, np.random.default_rng([SEED, 3, number])) for number in range(symbols)]
    with quiet():
        took = seconds(lambda: [scan(walk) for walk in walks])
    return Row("pattern_scan_500x1y_s", took * SYMBOLS / symbols, "s", symbols)
