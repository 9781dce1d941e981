"""Indicators: streaming statistics of bars, written once for live columns and for history.

    spec.py       `ema(9, rsi(14))@1h` <-> Spec
    catalog.py    what there is: parameters, outputs, formula, seeding, range, warm-up, source
    bars.py       Bars: columns of prices, volumes and sessions; the sources `hl2`, `hlc3` ...
    stages.py     the parts every indicator is made of: lag, smoothing, running sums
    windows.py    sums, extremes and moments over the last n bars, O(1) per bar, without cancellation
    kernel.py     what a kernel is; averages.py oscillators.py volume.py trend.py channels.py: the kernels
    machines.py   recurrences that turn: Parabolic SAR, SuperTrend
    bank.py       columns over symbols: one call advances every symbol whose bar closed
    history.py    the same kernels over whole series; equal to the bank to the bit
    corrections.py  going back a bounded number of bars
    frames.py     Polars in, Polars out

A kernel is an arithmetic expression over stages. A stage has two forms that do the same operations
in the same order: `step` (one bar of many symbols) and `run` (all bars of many symbols). So live,
replay and history cannot disagree.

Two rules hold everywhere. NaN means "no value": while warming up, or where the formula has none.
A bar whose needed prices are not numbers (NaN, infinite, beyond 1e100) gives no value and leaves the
state as if it had not been; it does not poison what follows. A volume that is no number, or below 0,
takes no bar away from the indicators that weigh prices by it: the price counts, nothing was traded.
"""
