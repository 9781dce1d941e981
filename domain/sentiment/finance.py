"""Words of finance and how they sound to somebody who holds the stock, in VADER's measure: -4 to 4.

VADER (Hutto and Gilbert, 2014) was rated on everyday language: "downgraded", "plunge" and "bankruptcy" are
not in it, and "shares" and "interest" count as kindness. The weights here are our own judgement, not a
measurement. Whoever changes one counts VERSION up, because scores of two versions do not compare.
"""

from __future__ import annotations

VERSION = 1

_NAMES = """
alert appreciation block blocks cancer care credit credits crude debt demand energy gross intelligence
intelligent interest interests liabilities liability matter natural novel number play plays securities
security share shared shares treasury trust trusts united value worth
"""
NEUTRAL = frozenset(_NAMES.split())
"""Words of feeling elsewhere, here names of things (a trust, crude oil, an energy company)."""

_WEIGHTS = """
2.5 soar soars soared soaring surge surges surged surging skyrockets skyrocketed
2.2 bullish outperform outperforms outperformed
2.0 upgrade upgrades upgraded upgrading
1.8 rally rallies rallied rallying rebound rebounds rebounded
1.5 jump jumps jumped jumping climb climbs climbed climbing
1.5 buyback buybacks undervalued oversold breakout mooning moon tendies
1.3 beats
1.2 overweight accumulate hodl
1.0 rise rises rose risen rising uptrend uptick higher
-1.3 slide slides slid slips slipped dip dips dipped falls fell falling drops dropped
-1.3 downtrend downturn headwinds overvalued overbought bubble
-1.6 layoffs layoff recall recalls subpoena probe probes bagholder bagholders
-2.0 recession stagflation
-2.2 bearish underperform underperforms underperformed underweight
-2.2 downgrade downgrades downgraded downgrading
-2.2 tumble tumbles tumbled tumbling slump slumps slumped sinks sank tank tanks tanked
-2.2 selloff selloffs capitulation meltdown rout
-2.2 default defaults defaulted writedown impairment restatement dilution dilutive
-2.8 plunge plunges plunged plunging plummet plummets plummeted
-2.8 crashes crashed crashing collapse collapses collapsed collapsing
-3.2 bankruptcy insolvent insolvency liquidated liquidation delisted delisting
"""
WORDS: dict[str, float] = {
    word: float(weight)
    for weight, *words in (line.split() for line in _WEIGHTS.strip().splitlines())
    for word in words
}

_ESTIMATES = r"(?:estimates?|expectations?|forecasts?|consensus|views)"
_AIMS = r"(?:guidance|outlook|forecasts?|price targets?|targets?|dividends?|payouts?)"
_BETWEEN = r"(?:[\w'%$.-]{1,20} ){0,4}?"
_PASSIVE = r"(?:is |are |was |were |has been |have been )?"
_RAISES = (
    r"(?:rais(?:e|es|ed|ing)|lift(?:s|ed|ing)?|boost(?:s|ed|ing)?|hik(?:e|es|ed|ing)|increas(?:e|es|ed|ing))"
)
_CUTS = (
    r"(?:cut(?:s|ting)?|lower(?:s|ed|ing)?|slash(?:es|ed|ing)?|trim(?:s|med|ming)?|reduc(?:e|es|ed|ing)"
    r"|suspend(?:s|ed|ing)?)"
)
_BUY = r"(?:strong )?(?:buy|outperform|overweight|accumulate)"
_SELL = r"(?:strong )?(?:sell|underperform|underweight|reduce)"

PHRASES: tuple[tuple[str, str, float], ...] = (
    ("upgraded-to-buy", rf"upgrad(?:e|es|ed|ing) {_BETWEEN}to {_BUY}", 3.0),
    ("downgraded-to-sell", rf"downgrad(?:e|es|ed|ing) {_BETWEEN}to {_SELL}", -3.2),
    ("downgraded-to-hold", rf"downgrad(?:e|es|ed|ing) {_BETWEEN}to (?:hold|neutral|market perform)", -2.2),
    ("buy-rating", rf"{_BUY} rating|strong buy", 2.0),
    ("sell-rating", rf"{_SELL} rating|strong sell", -2.2),
    (
        "beats-estimates",
        rf"(?:beat(?:s|ing)?|top(?:s|ped)|exceed(?:s|ed)?|crush(?:es|ed)?) {_BETWEEN}{_ESTIMATES}",
        2.6,
    ),
    (
        "misses-estimates",
        rf"(?:miss(?:es|ed)?|fall(?:s)? short of|fell short of) {_BETWEEN}{_ESTIMATES}",
        -2.6,
    ),
    ("above-estimates", rf"(?:above|ahead of|better than) {_BETWEEN}(?:{_ESTIMATES}|expected|feared)", 2.2),
    ("below-estimates", rf"(?:below|short of|worse than) {_BETWEEN}(?:{_ESTIMATES}|expected|feared)", -2.2),
    (
        "raises-guidance",
        rf"{_RAISES} {_BETWEEN}{_AIMS}|{_AIMS} {_PASSIVE}(?:raised|lifted|boosted|hiked|increased)",
        2.3,
    ),
    (
        "cuts-guidance",
        rf"{_CUTS} {_BETWEEN}{_AIMS}|{_AIMS} {_PASSIVE}(?:cut|lowered|slashed|trimmed|reduced|suspended)",
        -2.4,
    ),
    ("profit-warning", r"profit warnings?", -2.6),
    ("net-loss", r"(?:net|wider|widening) loss(?:es)?", -1.9),
    ("narrower-loss", r"(?:narrower|narrowing) loss(?:es)?", 1.0),
    ("record-results", r"record (?:profits?|revenues?|earnings|sales|quarter|results)", 2.4),
    ("record-high", r"(?:record|all[- ]time|52[- ]week) highs?|new highs?", 2.0),
    ("record-low", r"(?:record|all[- ]time|52[- ]week) lows?|new lows?", -2.0),
    ("chapter-11", r"chapter (?:11|7)|files? for bankruptcy(?: protection)?", -3.4),
    ("going-concern", r"going concern", -2.8),
    ("class-action", r"class[- ]action", -1.9),
    ("sell-off", r"sell(?:ing)?[- ]?offs?", -2.2),
    ("pump-and-dump", r"pump (?:and|&|n) dump", -2.8),
    ("rug-pull", r"rug[- ]?pull(?:s|ed)?", -3.2),
    ("dead-cat-bounce", r"dead cat bounce", -1.8),
    ("short-squeeze", r"(?:short|gamma) squeeze", 1.8),
    ("to-the-moon", r"to the moon", 2.6),
    ("diamond-hands", r"diamond hands?", 1.6),
    ("paper-hands", r"paper hands?", -1.0),
    ("buy-the-dip", r"buy(?:ing)? the (?:\w{1,12} )?dip", 1.6),
    ("bull-market", r"bull (?:market|run|case)", 1.8),
    ("bear-market", r"bear (?:market|case|trap)", -1.8),
    ("gap-up", r"gap(?:s|ped)? up", 1.2),
    ("gap-down", r"gap(?:s|ped)? down", -1.2),
    ("rate-cut", r"(?:interest )?rate cuts?", 0.8),
    ("rate-hike", r"(?:interest )?rate hikes?", -0.8),
    ("job-cuts", r"job cuts?|cut(?:s|ting)? (?:\S{1,12} )?jobs", -1.4),
    ("gross-margin", r"(?:gross|operating|net) (?:margin|profit)s?", 0.0),
)
"""(name, pattern, weight): words that mean together what none of them says alone; the first that fits."""
