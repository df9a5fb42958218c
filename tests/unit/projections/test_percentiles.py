"""Percentiles of histograms."""

from projections.reaction_times import BOUNDS_MS
from projections.reaction_times.queries import percentiles


def test_percentiles_are_the_upper_bounds_of_their_buckets() -> None:
    counts = {0: 50, 3: 45, len(BOUNDS_MS): 5}
    told = percentiles(counts)
    assert (told.count, told.p50_ms, told.p95_ms, told.p99_ms) == (100, 1, 5, None)
