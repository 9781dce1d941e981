"""What a text about markets thinks, as a number in [-1, 1] with the method that found it.

finance.py   our own words of finance and their weights, with a version
scoring.py   VADER with these words; the author's own tag comes before any score
hashing.py   a keyed hash, so that a text can be recognised and not be looked up
"""
