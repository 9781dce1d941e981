"""What the providers of news and messages share: all of it pure.

plain.py     HTML to plain text
names.py     the stream of a source, the symbols that a text names
opinions.py  a message to what it thinks: per source and per symbol, without its text and author
articles.py  a news item with its score
"""
