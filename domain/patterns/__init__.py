"""Chart patterns: figures that traders draw, each with a life, found one bar at a time.

    events.py         PatternEvent: what is said, once and for ever
    swings.py         average range, zigzag: the pivots that every detector reads
    poles.py          the sharp move before a flag
    geometry.py       lines, fits, how closely prices follow a figure
    figures.py        a figure's life: forming -> confirmed -> target hit or invalidated
    reversals.py      head and shoulders, double and triple tops and bottoms
    continuations.py  triangles, wedges, flags, pennants, channels
    levels.py         support, resistance, trend lines
    desk.py           the figures under watch: one per place, nothing twice
    scanner.py        PatternScanner: bars in, events out
    candles.py        candlestick patterns by TA-Lib
    bar.py            which bars can be drawn
    table.py          a whole table through the scanners

Nothing looks ahead: an event of row r depends on rows 0..r alone, and no event is ever taken back. A
figure that fails says so by a further event. Bars are counted, not hours: a gap in time is no gap here.
docs/patterns.md has the definitions, their sources and the measured quality.
"""
