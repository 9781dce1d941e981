"""Every indicator: what it takes, what it gives, how it is computed and where that is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from msgspec import Struct

from domain.errors import Malformed
from domain.indicators import averages, channels, oscillators, trend, volume
from domain.indicators.kernel import Kernel, Make

LONGEST = 100_000
"""Longest period in bars, TA-Lib's own bound."""
VERSION = 3
"""Of all formulas together. A change of any value raises it, and snapshots of another one do not fit."""


class Parameter(Struct, frozen=True):
    """`whole`: an integer, counted in bars. `default` None: must be given. Bounds are inclusive."""

    name: str
    least: float
    most: float = float(LONGEST)
    default: float | None = None
    whole: bool = True


class About(Struct, frozen=True):
    """One indicator of the catalogue, ready to be shown.

    `inputs`: the series it reads, `source` where the spec may choose it (close unless it does).
    `warmup`: bars before the first value. `reference`: whose numbers it is tested against.
    """

    name: str
    title: str
    parameters: tuple[Parameter, ...]
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    formula: str
    seeding: str
    range: str
    warmup: str
    source: str
    reference: str


class Entry(Struct, frozen=True):
    about: About
    make: Make
    example: str


def _period(name: str = "period", least: int = 1, default: float | None = None) -> Parameter:
    return Parameter(name, least, default=default)


def _number(name: str, least: float, most: float, default: float | None = None) -> Parameter:
    return Parameter(name, least, most, default, whole=False)


_WIDTH = _number("deviations", 1e-6, 1e6)
_TALIB = "TA-Lib 0.8"
_NO_SEED = "none"
_WILDER = "Wilder, New Concepts in Technical Trading Systems, 1978"
_TYPICAL = "typical = (high + low + close) / 3"


def _entry(
    title: str,
    example: str,
    make: Callable[..., Kernel],
    inputs: tuple[str, ...],
    outputs: tuple[str, ...],
    *parameters: Parameter,
    formula: str,
    seeding: str = _NO_SEED,
    span: str = "as its input",
    warmup: str,
    source: str,
    reference: str = _TALIB,
) -> tuple[str, Entry]:
    name = example.partition("(")[0]
    about = About(name, title, parameters, inputs, outputs, formula, seeding, span, warmup, source, reference)
    return name, Entry(about, make, example)


_SERIES = ("source",)
_HLC = trend.HIGH_LOW_CLOSE
_VALUE = ("value",)
_BANDS = channels.BANDS
_OSCILLATOR = "0..100"

CATALOG: Mapping[str, Entry] = MappingProxyType(
    dict(
        (
            _entry(
                *("Simple moving average", "sma(50)", averages.Sma, _SERIES, _VALUE, _period()),
                formula="mean of the last n",
                warmup="n - 1",
                source="Murphy, Technical Analysis of the Financial Markets, 1999, ch. 9",
            ),
            _entry(
                *("Exponential moving average", "ema(9)", averages.Ema, _SERIES, _VALUE, _period()),
                formula="ema += (x - ema) * 2 / (n + 1)",
                seeding="mean of the first n",
                warmup="n - 1",
                source="Murphy 1999, ch. 9",
            ),
            _entry(
                *("Weighted moving average", "wma(20)", averages.Wma, _SERIES, _VALUE, _period()),
                formula="mean of the last n, weights 1 (oldest) to n (newest)",
                warmup="n - 1",
                source="Murphy 1999, ch. 9",
            ),
            _entry(
                *("Relative strength index", "rsi(14)", oscillators.Rsi, _SERIES, _VALUE, _period(least=2)),
                formula="100 * gain / (gain + loss), Wilder averages of rises and falls; 0 where none",
                seeding="means of the first n changes",
                span=_OSCILLATOR,
                warmup="n",
                source=f"{_WILDER}, p. 63",
            ),
            _entry(
                *("Moving average convergence divergence", "macd(12,26,9)", averages.Macd, _SERIES),
                averages.Macd.outputs,
                *(_period("fast", 1), _period("slow", 2), _period("signal", 1)),
                formula="macd = ema(fast) - ema(slow); signal = ema of macd; histogram = macd - signal",
                seeding="both averages begin at the slow one's first bar; the signal with its first mean",
                span="unbounded",
                warmup="slow + signal - 2, all outputs",
                source="Appel, The Moving Average Convergence-Divergence Trading Method, 1985",
            ),
            _entry(
                *(
                    "Bollinger bands",
                    "bbands(20,2)",
                    averages.Bbands,
                    _SERIES,
                    _BANDS,
                    _period(least=2),
                    _WIDTH,
                ),
                formula="middle = mean of the last n; upper, lower = middle +- deviations * stddev",
                warmup="n - 1",
                source="Bollinger, Bollinger on Bollinger Bands, 2001, ch. 7",
            ),
            _entry(
                *("Stochastic", "stoch(14,3,3)", oscillators.Stochastic, _HLC, ("k", "d")),
                *(_period("k"), _period("smooth"), _period("d")),
                formula="%K = mean of 100 * (close - lowest) / (highest - lowest) over `smooth`; %D = mean",
                span=f"{_OSCILLATOR}; 0 where highest = lowest",
                warmup="k + smooth + d - 3, both outputs",
                source="Lane, Lane's Stochastics, Stocks and Commodities 2:3, 1984",
            ),
            _entry(
                *("Fast stochastic", "stochf(14,3)", oscillators.FastStochastic, _HLC, ("k", "d")),
                *(_period("k"), _period("d")),
                formula="%K = 100 * (close - lowest) / (highest - lowest); %D = mean of %K",
                span=f"{_OSCILLATOR}; 0 where highest = lowest",
                warmup="k + d - 2, both outputs",
                source="Lane 1984",
            ),
            _entry(
                *("Williams %R", "willr(14)", oscillators.WilliamsR, _HLC, _VALUE, _period(least=2)),
                formula="-100 * (highest - close) / (highest - lowest)",
                span="-100..0; 0 where highest = lowest",
                warmup="n - 1",
                source="Williams, How I Made One Million Dollars Last Year Trading Commodities, 1973",
            ),
            _entry(
                *("Average true range", "atr(14)", trend.Atr, _HLC, _VALUE, _period()),
                formula="Wilder average of max(high - low, |high - last close|, |low - last close|)",
                seeding="mean of the first n true ranges, from the second bar on",
                span="0 or more",
                warmup="n",
                source=f"{_WILDER}, p. 21",
            ),
            _entry(
                *("Volume-weighted average price", "vwap(20)", volume.vwap),
                *(("hlc3", "volume", "session"), _VALUE, Parameter("period", 1, default=0.0)),
                formula=f"sum(typical * volume) / sum(volume), {_TYPICAL}; vwap(n): of the last n",
                seeding="`vwap` begins anew with each session",
                warmup="0, or n - 1; none while no volume",
                source="Berkowitz, Logue and Noser, The Total Cost of Transactions on the NYSE, 1988",
                reference=f"{_TALIB} (one session); the definition (rolling)",
            ),
            _entry(
                *("On-balance volume", "obv", volume.Obv, ("close", "volume"), _VALUE),
                formula="obv += volume where the close rose, -= where it fell; an unknown volume counts 0",
                seeding="first bar's volume",
                span="unbounded",
                warmup="0; none while no volume has been known",
                source="Granville, Granville's New Key to Stock Market Profits, 1963",
            ),
            _entry(
                *("Commodity channel index", "cci(20)", oscillators.Cci, ("hlc3",), _VALUE, _period(least=2)),
                formula=f"(typical - mean) / (0.015 * mean distance from the mean), {_TYPICAL}",
                span="unbounded; 0 where nothing moved",
                warmup="n - 1",
                source="Lambert, Commodity Channel Index, Commodities 9:10, 1980",
            ),
            _entry(
                *("Money flow index", "mfi(14)", volume.Mfi, ("hlc3", "volume"), _VALUE, _period(least=2)),
                formula=f"100 * up / (up + down), sums of typical * volume where it rose, fell; {_TYPICAL}",
                span=f"{_OSCILLATOR}; 0 where nothing flowed; an unknown volume counts 0",
                warmup="n; none where no volume of the n is known",
                source="Quong and Soudack, Volume-Weighted RSI: Money Flow, Stocks and Commodities 7:3, 1989",
            ),
            _entry(
                *(
                    "Average directional index",
                    "adx(14)",
                    trend.Adx,
                    _HLC,
                    trend.Adx.outputs,
                    _period(least=2),
                ),
                formula="DI = 100 * smoothed DM / range; adx = Wilder average of 100 * |+DI - -DI| / sum",
                seeding="DM and range with the sum of the first n - 1; adx with the mean of the first n",
                span=_OSCILLATOR,
                warmup="2n - 1; plus_di and minus_di n",
                source=f"{_WILDER}, p. 35",
            ),
            _entry(
                *("Rate of change", "roc(10)", oscillators.Roc, _SERIES, _VALUE, _period()),
                formula="100 * (x / x n bars ago - 1)",
                span="percent, 5.0 means 5 %; 0 where the earlier value is 0",
                warmup="n",
                source="Murphy 1999, ch. 10",
            ),
            _entry(
                *("Standard deviation", "stddev(20,1)", averages.Stddev, _SERIES, _VALUE, _period(least=2)),
                _number("deviations", 1e-6, 1e6, 1.0),
                formula="deviations * sqrt(mean of (x - mean)^2) over the last n (population)",
                span="0 or more",
                warmup="n - 1",
                source="the definition",
            ),
            _entry(
                *("Keltner channels", "keltner(20,10,2)", channels.Keltner, _HLC, _BANDS),
                *(_period(), _period("atr_period", default=10.0), _number("multiplier", 1e-6, 1e6)),
                formula=f"middle = ema of typical; upper, lower = middle +- multiplier * atr; {_TYPICAL}",
                seeding="both begin at the later one's first bar",
                warmup="max(period - 1, atr_period)",
                source="Keltner, How to Make Money in Commodities, 1960; ATR as Raschke, 1995",
            ),
            _entry(
                *(
                    "Donchian channels",
                    "donchian(20)",
                    channels.Donchian,
                    ("high", "low"),
                    _BANDS,
                    _period(least=2),
                ),
                formula="upper, lower = highest high, lowest low of the last n with this bar; middle between",
                warmup="n - 1",
                source="Donchian, High Finance in Copper, Financial Analysts Journal 16:6, 1960",
            ),
            _entry(
                *("Ichimoku", "ichimoku(9,26,52)", channels.Ichimoku, _HLC, channels.Ichimoku.outputs),
                *(_period("conversion", 1, 9.0), _period("base", 1, 26.0), _period("span", 1, 52.0)),
                formula="tenkan, kijun = middle of range over conversion, base; senkou_a = their middle and "
                "senkou_b = middle over span, both `base` bars ago; chikou = close, drawn `base` back",
                warmup="conversion - 1; base - 1; max(conversion, base) + base - 1; span + base - 1; 0",
                source="Hosoda, Ichimoku Kinko Hyo, 1969; Patel, Trading with Ichimoku Clouds, 2010, ch. 2",
                reference="the definition, worked out window by window",
            ),
            _entry(
                *("Parabolic stop and reverse", "psar(0.02,0.2)", trend.Psar, ("high", "low"), _VALUE),
                *(_number("step", 1e-6, 1.0, 0.02), _number("most", 1e-6, 1.0, 0.2)),
                formula="stop += acceleration * (extreme - stop), outside the last 2 bars; turns at a touch",
                seeding="side by the first two bars' directional movement, stop at the first bar's extreme",
                warmup="1",
                source=f"{_WILDER}, p. 9",
            ),
            _entry(
                *("SuperTrend", "supertrend(10,3)", trend.Supertrend, _HLC, trend.Supertrend.outputs),
                *(_period(), _number("multiplier", 1e-6, 1e6, 3.0)),
                formula="(high + low) / 2 +- multiplier * atr, bands only narrow; turns at a close beyond",
                seeding="rising at first",
                warmup="n",
                source="Seban, Das ist Trading, 2008",
            ),
        )
    )
)


def catalogue() -> tuple[About, ...]:
    return tuple(entry.about for entry in CATALOG.values())


def make_kernel(name: str, parameters: tuple[float, ...]) -> Kernel:
    """A kernel with parameters that `check_together` and the spec language have let through."""
    entry = CATALOG[name]
    if name == "vwap":
        return volume.vwap(int(parameters[0]) or None)
    numbers = (
        int(value) if parameter.whole else value
        for value, parameter in zip(parameters, entry.about.parameters, strict=True)
    )
    return entry.make(*numbers)


def check_together(name: str, parameters: tuple[float, ...]) -> None:
    """What single bounds cannot say. Raises Malformed."""
    if name == "macd" and parameters[0] >= parameters[1]:
        raise Malformed(f"macd: fast ({parameters[0]:g}) must be less than slow ({parameters[1]:g})")
    if name == "psar" and parameters[0] > parameters[1]:
        raise Malformed(f"psar: step ({parameters[0]:g}) must not exceed most ({parameters[1]:g})")
