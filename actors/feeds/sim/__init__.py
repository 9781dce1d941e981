"""A seeded market simulator: correlated prices, order books, trades, and labelled incidents on demand.

Pure: the same seed, instruments and step times give the same observations. `market.py` moves prices,
`book.py` keeps each ladder, `incidents.py` disturbs what a provider says, `catalog.py` knows the
instruments, `source.py` is the feed.
"""
