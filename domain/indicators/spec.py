"""The spec language: `rsi(14)`, `macd(12,26,9).signal`, `sma(50,source=hl2)@1h`, `ema(9, rsi(14))`.

    spec   = figure ["@" interval]
    figure = name ["(" argument {"," argument} ")"] ["." output]
    argument = number | "source=" series | figure      numbers first; at most one series or figure

Names are lower case. Blanks may stand between parts, never inside a name or number.
"""

from __future__ import annotations

import re
from difflib import get_close_matches

from msgspec import Struct

from domain.errors import Malformed
from domain.indicators.bars import SOURCES
from domain.indicators.catalog import CATALOG, About, Parameter, check_together
from domain.market.intervals import interval_ns

MAX_LENGTH = 200
MAX_DEPTH = 4
"""Figures within figures."""

_TOKEN = re.compile(
    r"\s*(?:(?P<number>-?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)|(?P<word>[A-Za-z_]\w*)|(?P<sign>\S))",
    re.ASCII,
)


class Spec(Struct, frozen=True):
    """`parameters` are complete, defaults filled in. `source`: a series' name, or the figure computed
    first; None where the indicator reads fixed columns. `interval` None: that of the bars at hand.
    """

    name: str
    parameters: tuple[float, ...]
    source: str | Spec | None
    output: str
    interval: str | None = None

    def __str__(self) -> str:
        """The canonical text: parses to an equal Spec."""
        about = CATALOG[self.name].about
        given = [f"{value:.15g}" for value in self.parameters if about.name != "vwap" or value]
        if isinstance(self.source, Spec):
            given.append(str(self.source))
        elif self.source not in (None, "close"):
            given.append(f"source={self.source}")
        text = self.name + (f"({','.join(given)})" if given else "")
        text += "" if self.output == about.outputs[0] else f".{self.output}"
        return text + (f"@{self.interval}" if self.interval else "")

    @property
    def figure(self) -> Spec:
        """The same state: without output and interval."""
        first = CATALOG[self.name].about.outputs[0]
        return Spec(self.name, self.parameters, self.source, first)

    @property
    def without_interval(self) -> Spec:
        return Spec(self.name, self.parameters, self.source, self.output)

    @property
    def place(self) -> int:
        """Of the output among the indicator's outputs."""
        return CATALOG[self.name].about.outputs.index(self.output)


def parse_spec(text: str) -> Spec:
    """Raises Malformed, saying what is wrong and what would be right."""
    if len(text) > MAX_LENGTH:
        raise Malformed(f"spec of {len(text)} characters; at most {MAX_LENGTH}")
    return _Parser(text).spec()


class _Parser:
    def __init__(self, text: str) -> None:
        self._text = text
        self._tokens = [match for match in _TOKEN.finditer(text) if match.lastgroup]
        self._next = 0

    def spec(self) -> Spec:
        figure = self._figure(1)
        interval = None
        if self._takes("@"):
            interval = "".join(match.group().strip() for match in self._tokens[self._next :])
            interval_ns(interval)
            self._next = len(self._tokens)
        if self._next < len(self._tokens):
            raise self._wrong(f"nothing may follow, but there is {self._peek()!r}")
        return Spec(figure.name, figure.parameters, figure.source, figure.output, interval)

    def _figure(self, depth: int) -> Spec:
        if depth > MAX_DEPTH:
            raise self._wrong(f"more than {MAX_DEPTH} figures within each other")
        about = self._about()
        numbers: list[tuple[str, float]] = []
        source: str | Spec | None = None
        if self._takes("(") and not self._takes(")"):
            while True:
                if source is not None:
                    raise self._wrong("nothing may follow the source")
                source = self._argument(numbers, depth)
                if not self._takes(","):
                    break
            if not self._takes(")"):
                raise self._wrong(f"`,` or `)` expected, not {self._peek()!r}")
        parameters = self._complete(about, numbers)
        return Spec(about.name, parameters, self._source(about, source), self._output(about))

    def _about(self) -> About:
        name = self._word("an indicator's name")
        if name in CATALOG:
            return CATALOG[name].about
        near = get_close_matches(name.lower(), CATALOG, n=1, cutoff=0.5)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise self._wrong(f"there is no indicator {name[:40]!r}; {hint}known: {' '.join(CATALOG)}")

    def _argument(self, numbers: list[tuple[str, float]], depth: int) -> str | Spec | None:
        """Adds a number to `numbers` and gives None, or gives the source."""
        written = self._peek()
        if self._next < len(self._tokens) and self._tokens[self._next].lastgroup == "number":
            self._next += 1
            numbers.append((written, float(written)))
            return None
        if written in SOURCES:
            raise self._wrong(f"write source={written}")
        if written != "source":
            return self._figure(depth + 1)
        self._next += 1
        if not self._takes("="):
            raise self._wrong("`=` expected after `source`")
        if self._peek() in SOURCES:
            return self._word("a series")
        if self._peek() not in CATALOG:
            raise self._wrong(
                f"there is no source {self._peek()[:40]!r}; known: {' '.join(SOURCES)}, or an indicator"
            )
        return self._figure(depth + 1)

    def _complete(self, about: About, numbers: list[tuple[str, float]]) -> tuple[float, ...]:
        """All parameters. Where fewer are given the last ones that have defaults take them."""
        missing = len(about.parameters) - len(numbers)
        optional = [place for place, each in enumerate(about.parameters) if each.default is not None]
        if missing < 0 or missing > len(optional):
            raise self._wrong(_arity(about, len(numbers)))
        defaulted = set(optional[len(optional) - missing :])
        given = iter(numbers)
        values = []
        for place, parameter in enumerate(about.parameters):
            if place in defaulted and parameter.default is not None:
                values.append(parameter.default)
            else:
                values.append(self._checked(about.name, parameter, *next(given)))
        check_together(about.name, tuple(values))
        return tuple(values)

    def _checked(self, name: str, parameter: Parameter, written: str, value: float) -> float:
        if parameter.whole and not written.lstrip("-").isdigit():
            raise self._wrong(f"{name}: {parameter.name} must be a whole number of bars, not {written[:40]}")
        if not parameter.least <= value <= parameter.most:
            bounds = f"{parameter.least:g} to {parameter.most:.15g}"
            raise self._wrong(f"{name}: {parameter.name} must be {bounds}, not {written[:40]}")
        return value

    def _source(self, about: About, source: str | Spec | None) -> str | Spec | None:
        if "source" in about.inputs:
            return "close" if source is None else source
        if source is not None:
            raise self._wrong(f"{about.name} reads {', '.join(about.inputs)} and takes no source")
        return None

    def _output(self, about: About) -> str:
        if not self._takes("."):
            return about.outputs[0]
        output = self._word("an output")
        if output not in about.outputs:
            raise self._wrong(
                f"{about.name} has no output {output[:40]!r}; it has {', '.join(about.outputs)}"
            )
        return output

    def _word(self, wanted: str) -> str:
        if self._next < len(self._tokens) and self._tokens[self._next].lastgroup == "word":
            self._next += 1
            return self._tokens[self._next - 1].group().strip()
        raise self._wrong(f"{wanted} expected, not {self._peek()!r}")

    def _takes(self, sign: str) -> bool:
        if self._peek() == sign:
            self._next += 1
            return True
        return False

    def _peek(self) -> str:
        return self._tokens[self._next].group().strip() if self._next < len(self._tokens) else "the end"

    def _wrong(self, reason: str) -> Malformed:
        return Malformed(f"spec {self._text!r}: {reason}")


def _arity(about: About, given: int) -> str:
    names = ", ".join(
        f"[{each.name}]" if each.default is not None else each.name for each in about.parameters
    )
    takes = f"takes ({names})" if names else "takes no numbers"
    return f"{about.name} {takes}, as in {CATALOG[about.name].example}; {given} given"
