"""The checks of the verdict engine bite: break one rule, and the test that watches it fails."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from muon_imbalance.analysis.claims import intervals, judging, samples
from muon_imbalance.analysis.claims.comparators import Comparator
from muon_imbalance.analysis.statistics import equal_progress
from muon_imbalance.analysis.statistics.evidence import Unusable

from . import test_verdicts as checks


@contextmanager
def broken(owner, name: str, old: str, new: str) -> Iterator[None]:
    """A function of a module or class with ``old`` replaced by ``new`` in its source text (it must occur)."""
    function = getattr(owner, name)
    source = inspect.cleandoc("\n" + inspect.getsource(function))
    assert old in source, f"{old!r} is not in {name}: the mutation tests nothing"
    found = {}
    exec(compile(source.replace(old, new), name, "exec"), vars(inspect.getmodule(function)), found)
    setattr(owner, name, found[name])
    try:
        yield
    finally:
        setattr(owner, name, function)


T = "return centre + stdtrit(n - 1, lower) * error, centre + stdtrit(n - 1, upper) * error"
BOOTSTRAP = (
    "means = np.stack([sample[i].mean(0) for i in np.random.default_rng(0).integers(0, n, (200, n))])\n"
    "    return np.quantile(means, lower, axis=0), np.quantile(means, upper, axis=0)"
)


def coverage(n=5):
    checks.test_intervals_cover_what_they_say(n, draws=4000)


MUTATIONS = {
    "percentile bootstrap in place of t": (intervals, "_ends", T, BOOTSTRAP, coverage),
    "t with one degree of freedom more": (intervals, "_ends", "stdtrit(n - 1,", "stdtrit(n,", coverage),
    "failures without Bonferroni": (
        judging, "spread", "alpha / comparisons", "alpha", lambda: checks.test_false_failures_are_rare(9)
    ),
    "absence without correction": (
        judging, "spread", "alpha / comparisons", "alpha", lambda: checks.test_false_absence_is_rare(9)
    ),
    "absence by the plain interval": (
        judging, "decided", "same - smallest < found.wide[0] and found.wide[1]",
        "same - smallest < found.ends[0] and found.ends[1]", lambda: checks.test_false_absence_is_rare(9)
    ),
    "failure by the plain interval": (
        judging, "decided", "misses(*found.wide", "misses(*found.ends", lambda: checks.test_false_failures_are_rare(9)
    ),
    "tie counted as failure": (
        Comparator, "misses", "high < threshold", "high <= threshold", checks.test_a_tie_is_no_failure
    ),
    "tie counted as failure, downwards": (
        Comparator, "misses", "low > threshold", "low >= threshold", checks.test_every_seed_with_ties
    ),
    "looks ignored": (intervals, "look", "if not looks:", "if True:", checks.test_planned_looks_miss_no_more_than_one),
    "seeds beyond a look counted": (
        intervals, "look", "max((planned for planned in looks if planned <= n), default=n)", "n",
        checks.test_only_seeds_up_to_the_last_planned_look_count
    ),
    "furthest taken from one run only": (
        equal_progress, "resolved", "for name in names for run in experiment.runs(name).values()]",
        "for name in names[:1] for run in [experiment.runs(name)[0]]]",
        checks.test_the_furthest_level_is_one_that_all_runs_get_to
    ),
    "furthest of the first seeds only": (
        equal_progress, "resolved", "experiment.runs(name).values()]", "[experiment.runs(name)[0]]]",
        checks.test_the_furthest_level_is_one_that_all_runs_get_to
    ),
    "furthest before the worst record": (
        equal_progress, "furthest", "times[np.argmax(times) :].min()", "times.min()",
        checks.test_accuracies_rise_and_losses_fall_after_their_worst_record
    ),
    "a furthest level that unusable runs break": (
        equal_progress, "furthest", "suppress(Unusable, NoValue)", "suppress()",
        checks.test_the_furthest_level_is_never_undefined
    ),
    "all clocks fall": (
        equal_progress, "_sign", "-1.0 if", "1.0 if",
        checks.test_accuracies_rise_and_losses_fall_after_their_worst_record
    ),
    "times at a ceiling": (
        samples, "_flat", ' and check.statistic.unit(check.options) == "accuracy"', "",
        checks.test_times_have_no_ceiling
    ),
    "no floor": (
        samples, "_flat", "len(sides[0]) != 2 or", "True or",
        lambda: checks.test_at_the_floor_or_the_ceiling_nothing_shows(needed="a minus b >= 0", level=0.0)
    ),
    "a contrast that forgets its weights": (
        samples, "contrast", "weight * parts", "parts", checks.test_a_contrast_is_a_weighted_sum_by_seed
    ),
    "bounds taken for values": (
        judging, "decided", "if sample.at_least and sample.at_most:", "if False:",
        checks.test_censored_times_are_neither_absent_nor_judged
    ),
    "seeds for half the power": (
        intervals, "seeds_needed", "[(abs(effect), POWER,", "[(abs(effect), 0.5,",
        lambda: checks.test_seeds_needed_have_the_power(1.0, 0.05)
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_rule_is_noticed(name):
    owner, function, old, new, check = MUTATIONS[name]
    with broken(owner, function, old, new), pytest.raises((AssertionError, Unusable)):
        check()


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_rules_are_restored(name):
    owner, function, old, new, _ = MUTATIONS[name]
    before = getattr(owner, function)
    with broken(owner, function, old, new):
        assert getattr(owner, function) is not before
    assert getattr(owner, function) is before


def test_a_mutation_of_nothing_is_refused():
    with pytest.raises(AssertionError, match="tests nothing"), broken(intervals, "look", "no such text", ""):
        pass
