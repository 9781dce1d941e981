"""Who may do what: the signing key, tokens, one-use tickets, and the guard in front of every route."""
