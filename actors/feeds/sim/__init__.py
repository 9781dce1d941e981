"""A seeded market simulator: correlated prices, order books, trades, and labelled incidents on demand.

Pure: the same seed, instruments and step times give the same observations. `market.py` moves prices,
`book.py` keeps each ladder, `orders.py` the orders behind it, `incidents.py` disturbs what a provider
says, `views.py` are other providers of the same, `catalog.py` knows the instruments, `source.py` is the
feed.
"""
