"""The figures of DESIGN.md section 11, as ratios wherever somebody else does the same work.

    python -m tests.bench [--only NAME ...] [--quick] [--list]

Each module holds a group of figures and gives rows; `__main__` runs the groups one after the other, so
that no figure is measured beside another. Nothing here asserts a speed: machines differ.
"""
