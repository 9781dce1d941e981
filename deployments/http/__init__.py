"""HTTP: thin handlers that decode, ask the Directory, and encode. Errors come from `problems.py` alone."""
