"""Intervals cover what they promise; curve summaries on curves whose answer is known."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from muon_imbalance.analysis.claims import intervals
from muon_imbalance.analysis.claims.comparators import COMPARATORS
from muon_imbalance.analysis.statistics import reductions


def coverage(n: int, draws: int, find=intervals.interval) -> float:
    """Share of samples of size n (mean 0.3) whose interval contains the mean."""
    rng = np.random.default_rng(n)
    ends = np.array([find(rng.normal(0.3, 1, n)) for _ in range(draws)])
    return np.mean((ends[:, 0] <= 0.3) & (ends[:, 1] >= 0.3))


@pytest.mark.parametrize("n", [3, 5, 9])
def test_paired_t_covers_95_percent(n):
    assert coverage(n, 4000) == pytest.approx(0.95, abs=0.012)


def test_interval_matches_the_textbook():
    """Mean 3, sd sqrt(2.5), t(4, 0.975) = 2.776445."""
    half = 2.7764451 * np.sqrt(2.5 / 5)
    assert intervals.interval([1, 2, 3, 4, 5]) == pytest.approx((3 - half, 3 + half))


def test_interval_needs_two_values_and_is_repeatable():
    assert intervals.interval([1.0]) is None
    assert intervals.everywhere_interval(np.ones((1, 4))) is None
    sample = np.random.default_rng(0).normal(size=12)
    assert intervals.interval(sample) == intervals.interval(sample)
    assert intervals.interval([0.5] * 4) == (0.5, 0.5)


def test_everywhere_interval_is_honest_on_both_sides():
    """20 independent steps, all true differences 0: the smallest is 0, and both errors are rare."""
    rng = np.random.default_rng(1)
    ends = np.array([intervals.everywhere_interval(rng.normal(0, 1, (5, 20))) for _ in range(2000)])
    assert np.mean(ends[:, 0] > 0) <= 0.025
    assert np.mean(ends[:, 1] < 0) <= 0.035
    naive = np.array([min(intervals.interval(c)[1] for c in rng.normal(0, 1, (5, 20)).T) for _ in range(300)])
    assert np.mean(naive < 0) > 0.2  # what the correction is for


def test_everywhere_interval_sees_the_worst_step():
    sample = np.random.default_rng(0).normal([1.0, 2.0, -1.0], 0.01, (5, 3))
    low, high = intervals.everywhere_interval(sample)
    assert low < -0.98 and -1.02 < high < -0.95
    low, high = intervals.everywhere_interval(np.random.default_rng(0).normal(0.5, 0.01, (12, 3)))
    assert 0.48 < low < high < 0.52


STEPS = np.array([0, 1, 2, 4, 10])


def test_gated_area_counts_open_steps_after_zero_by_their_length():
    values, gate = np.array([0.9, 0.5, 0.5, 0.25, 1.0]), np.array([1.0, 1.0, 0.0, 1.0, 1.0])
    assert reductions.gated_area(STEPS, values, gate, 0.9) == pytest.approx((0.5 * 1 + 0 + 0.25 * 2 + 1 * 6) / 10)
    assert reductions.gated_area(STEPS, values, gate, 0.9, until=0.4) == pytest.approx((0.5 + 0.5) / 4)


def test_gated_area_of_a_collapsed_model_is_nothing():
    half = np.full(5, 0.5)
    assert reductions.gated_area(STEPS, half, half, 0.9) == 0


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=5, max_size=5))
def test_gated_area_is_a_share_and_at_most_the_mean(pairs):
    values, gate = np.array(pairs).T
    area = reductions.gated_area(STEPS, values, gate, 0.9)
    assert 0 <= area <= reductions.gated_area(STEPS, values, np.ones(5), 0.9) + 1e-12 <= 1 + 1e-9


def test_first_reach():
    values = np.array([0.9, 0.1, 0.2, 0.1, 0.5])
    assert reductions.first_reach(STEPS, values, 0.2) == (2, False)  # step 0 does not count
    assert reductions.first_reach(STEPS, values, 0.2, np.array([1, 1, 0, 1, 1], bool)) == (10, False)
    assert reductions.first_reach(STEPS, values, 0.6) == (10, True)
    assert reductions.first_reach(STEPS, values.astype(np.float32).astype(float), 0.2)[0] == 2  # rounding


def test_value_at_level_interpolates_after_the_peak():
    clock, values = np.array([0.5, 4.0, 3.0, 1.0, 0.0]), np.array([0.5, 0.0, 0.1, 0.3, 0.9])
    assert reductions.value_at_level(values, clock, 2.0) == pytest.approx(0.2)
    assert reductions.value_at_level(values, clock, 1.0) == pytest.approx(0.3)
    assert np.isnan(reductions.value_at_level(values, clock, 5.0))  # peak below
    assert np.isnan(reductions.value_at_level(values, clock, -1.0))  # never falls to it


@pytest.mark.parametrize(
    "symbol, ends, verdict",
    [
        (">", (0.1, 0.2), "holds"),
        (">", (0.0, 0.2), "inconclusive"),
        (">", (-0.2, 0.0), "inconclusive"),
        (">", (-0.2, -0.1), "fails"),
        (">", (-0.2, 0.1), "inconclusive"),
        (">=", (0.0, 0.2), "holds"),
        (">=", (-0.2, 0.0), "inconclusive"),
        (">=", (-0.2, -0.1), "fails"),
        ("<", (-0.2, -0.1), "holds"),
        ("<", (-0.2, 0.0), "inconclusive"),
        ("<", (0.0, 0.1), "inconclusive"),
        ("<", (0.1, 0.2), "fails"),
        ("<=", (-0.2, 0.0), "holds"),
        ("<=", (0.0, 0.1), "inconclusive"),
        ("<=", (0.1, 0.2), "fails"),
    ],
)
def test_comparators_at_and_around_the_threshold(symbol, ends, verdict):
    comparator = COMPARATORS[symbol]
    found = "holds" if comparator.clears(*ends, 0.0) else "fails" if comparator.misses(*ends, 0.0) else "inconclusive"
    assert found == verdict
