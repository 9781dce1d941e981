"""Unlikely values, and the question that matters: did the market do this, or are the data wrong?

`found.py` says what an anomaly is, `robust.py` measures what is usual (median and MAD), `ratios.py` knows
the round ratios of slips and splits. `bar_detector.py` watches bars (`moves.py` judges their jumps,
`repeats.py` finds frozen ones), `trade_detector.py` trades (`moves.py`'s sibling `prints.py` judges
prints far from the market), `quote_detector.py` quotes, `watch.py` puts them together for one
instrument, `tables.py` runs them over a table.

Every detector sees one value at a time, keeps bounded state, and never takes back what it said: the
findings of a prefix are the findings of the whole up to there. What only later values can tell is said
when they have come; the finding then names the value that it is about.
"""
