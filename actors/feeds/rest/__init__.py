"""What the parsers of REST providers share: all of it pure.

numbers.py    numbers in any writing, and the words that stand for none
days.py       days and local times of exchanges to ns UTC; starts of weeks and months
endpoints.py  the address that a payload came from: its path and its parameters
failures.py   the class of an error by what the provider says; secrets cut out of its text
rows.py       one JSON object, read field by field
reading.py    a payload read row by row, so that a bad row costs that row
listings.py   a provider's names of exchanges and its suffixes of symbols to our venues
coins.py      which instrument a coin is, so that no two share one
pairs.py      rates of currencies
arrays.py     arrays that are a body of their own, or have cells without names
markup.py     XML as a flat list of its elements
"""
