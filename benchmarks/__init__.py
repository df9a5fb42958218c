"""Each figure of the README, by one command: ``make bench``, or ``python -m benchmarks``.

Nothing here is absolute: every figure stands beside its baseline, measured on the same server in
turns, and the ratio is what counts.
"""
