"""The verdict engine keeps what it promises: coverage, false alarms, planned looks, floors, reasons, contrasts."""

import numpy as np
import pytest

from muon_imbalance.analysis.claims import intervals
from muon_imbalance.analysis.claims.effects import UNITS
from muon_imbalance.analysis.statistics.evidence import Recorded

from .verdict_runs import CURVE, EVERY, claim, experiment, judged, several, share

# --- intervals ------------------------------------------------------------------------------------------------


def misses(sample: np.ndarray, alpha: float) -> np.ndarray:
    """Which of the samples ``[n, draws]`` of a mean of 0 have intervals that miss it."""
    low, high = intervals._ends(sample, alpha / 2, 1 - alpha / 2)
    return (low > 0) | (high < 0)


@pytest.mark.parametrize("n", [3, 5, 8, 10, 20, 30])
def test_intervals_cover_what_they_say(n, draws=40_000):
    sample = np.random.default_rng(n).normal(0, 1, (n, draws))
    assert 0.945 <= 1 - misses(sample, intervals.ALPHA).mean() <= 0.96


def overall_miss(numbers, looks, draws=40_000) -> float:
    """Share of growing samples that miss at one of these numbers of repetitions, judged as planned."""
    sample = np.random.default_rng(7).normal(0, 1, (max(numbers), draws))
    wrong = np.zeros(draws, dtype=bool)
    for n in numbers:
        counted, alpha = intervals.look(n, looks)
        wrong |= misses(sample[:counted], alpha)
    return wrong.mean()


def test_planned_looks_miss_no_more_than_one():
    assert 0.04 <= overall_miss([5, 8], [5, 8]) <= 0.053
    assert overall_miss([5], [5]) == pytest.approx(0.05, abs=0.004)


def test_an_honest_interval_stays_honest_when_seeds_are_added():
    """Judged whenever a seed has come, as planned: the misses are those of the two looks."""
    assert overall_miss(range(5, 13), [5, 8]) == overall_miss([5, 8], [5, 8])
    assert overall_miss(range(3, 13), []) > 0.12  # what the plan is for


def test_only_seeds_up_to_the_last_planned_look_count():
    draw = np.random.default_rng(0)
    values = {"a": draw.normal(0.5, 0.05, 9), "b": draw.normal(0.3, 0.05, 9)}
    found = judged(claim(), experiment(looks=[5, 8], **values))
    alone = judged(claim(), experiment(looks=[5, 8], **{name: v[:8] for name, v in values.items()}))
    assert found["n"] == 8 and found["ci_low"] == alone["ci_low"] and "the first 8 of 9" in found["note"]
    assert found["ci_low"] < judged(claim(), experiment(**{k: v[:8] for k, v in values.items()}))["ci_low"]
    assert judged(claim(), experiment(looks=[5, 8], **{k: v[:7] for k, v in values.items()}))["n"] == 5
    assert judged(claim(), experiment(looks=[5, 8], **{k: v[:4] for k, v in values.items()}))["n"] == 4


# --- fails and absent -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("comparisons", [1, 2, 4, 9])
def test_false_failures_are_rare(comparisons):
    assert share(several(comparisons), "fails", 0.0, 0.1, comparisons) <= 0.05


@pytest.mark.parametrize("comparisons", [1, 2, 4, 9])
def test_false_absence_is_rare(comparisons):
    assert share(several(comparisons), "absent", UNITS["accuracy"].smallest, 0.012, comparisons, n=20) <= 0.05


def test_a_true_absence_is_found():
    assert share(several(2), "absent", 0.0, 0.004, 2, n=8) > 0.9


def test_a_tie_is_no_failure():
    same = {"a": [0.5] * 5, "b": [0.5] * 5}
    assert judged(claim("a minus b >= 0"), experiment(**same))["verdict"] == "holds"
    found = judged(claim(), experiment(**same))
    assert (found["verdict"], found["reason"]) == ("absent", None)  # within a point of no difference
    level = claim("a minus b > 0.03")  # a threshold with a tolerance has no smallest effect
    found = judged(level, experiment(a=[0.53] * 5, b=np.full(5, 0.53 - 0.03)))
    assert found["verdict"] != "fails" and found["smallest_effect"] is None


@pytest.mark.parametrize(("relation", "low", "high"), [("minus", 0.500, 0.506), ("over", 0.500, 0.506)])
def test_absent_of_differences_and_ratios(relation, low, high):
    """Small differences of either sign: less than a point, less than a twentieth."""
    mixed = np.array([high, low, high, low, high, low])
    threshold = {"minus": 0, "over": 1}[relation]
    found = judged(claim(f"a {relation} b > {threshold}"), experiment(a=mixed, b=mixed[::-1]))
    assert found["verdict"] == "absent", found["note"]
    assert found["smallest_effect"] == {"minus": 0.01, "over": 0.05}[relation]
    other = judged(claim(f"a {relation} b > {threshold + 0.001}"), experiment(a=mixed, b=mixed[::-1]))
    assert (other["verdict"], other["reason"]) == ("inconclusive", "interval")


def test_what_cannot_be_absent():
    mixed = np.array([0.5, 0.506, 0.5, 0.506, 0.5, 0.506])
    runs = experiment(a=mixed, b=1.006 - mixed)
    assert judged(claim("a > 0.5"), runs)["verdict"] == "inconclusive"  # no difference is asked for
    turned = 1.006 - mixed
    assert judged(claim(), experiment(a=mixed, b=turned))["verdict"] == "absent"
    series = experiment(a=np.tile(mixed, (3, 1)).T, b=np.tile(turned, (3, 1)).T)
    assert judged(claim(measure=EVERY), series)["verdict"] == "inconclusive"  # a value at every record
    seeds = judged(claim(evidence="every_seed"), runs)
    assert (seeds["verdict"], seeds["seeds_needed"]) == ("inconclusive", None)


# --- floor and ceiling ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("level", [0.0, 1.0])
@pytest.mark.parametrize("needed", ["a minus b > 0", "a minus b >= 0", "b minus a <= 0"])
def test_at_the_floor_or_the_ceiling_nothing_shows(level, needed):
    found = judged(claim(needed), experiment(a=[level] * 5, b=[level] * 5))
    assert (found["verdict"], found["reason"], found["seeds_needed"]) == ("inconclusive", "at_floor", None)


def test_one_side_off_the_floor_is_judged():
    assert judged(claim(), experiment(a=[0.05, 0.06, 0.05, 0.06, 0.05], b=[0] * 5))["verdict"] == "holds"
    assert judged(claim(), experiment(b=[0.05, 0.06, 0.05, 0.06, 0.05], a=[0] * 5))["verdict"] == "fails"


def test_the_floor_of_a_series_is_that_of_its_worst_record():
    floor = experiment(a=[[0.0, 0.4 + 0.01 * i] for i in range(5)], b=[[0.0, 0.1]] * 5)
    assert judged(claim("a minus b >= 0", measure=EVERY), floor)["verdict"] == "holds"
    assert judged(claim(measure=EVERY), floor)["reason"] == "at_floor"


def test_times_have_no_ceiling():
    """Steps are no accuracies, although the curve is one: 20 and 30 steps do not lie at a ceiling of 1."""
    measure = {"statistic": "time_to", "of": "accuracy of minority on test", "level": 0.5}
    early, late = [0.1, 0.6, 0.7, 0.8], [0.1, 0.2, 0.6, 0.7]
    runs = experiment(a=[early, late, early, late], b=[late, early, early, late])
    assert judged(claim("b minus a > 0", measure), runs)["reason"] == "interval"


# --- reasons and seeds needed -----------------------------------------------------------------------------------


def test_censored_times_are_neither_absent_nor_judged():
    measure = {"statistic": "time_to", "of": "accuracy of minority on test", "level": 0.9, "unit": "horizon"}
    never, late = [0.1, 0.2, 0.3], [0.1, 0.2, 0.95]
    found = judged(claim("b minus a > 0", measure), experiment(a=[never] * 4, b=[never] * 4))
    assert (found["verdict"], found["reason"]) == ("inconclusive", "horizon"), found["note"]
    found = judged(claim("b minus a > 0", measure), experiment(a=[late] * 4, b=[never] * 4))
    assert found["verdict"] == "inconclusive"  # a tie at the horizon; the truth is more
    early = [[0.95, 0.95, 0.95], [0.1, 0.95, 0.95]] * 2
    assert judged(claim("b minus a > 0", measure), experiment(a=early, b=[never] * 4))["verdict"] == "holds"
    found = judged(claim("b minus a > 0", measure), experiment(a=[never] * 4, b=early))
    assert (found["verdict"], found["reason"]) == ("fails", None)  # an upper bound is enough to fail
    found = judged(claim("a minus b > 0", measure), experiment(a=early, b=[never] * 4))
    assert (found["verdict"], found["reason"]) == ("fails", None)


@pytest.mark.parametrize("effect", [0.5, 1.0, 2.0])
@pytest.mark.parametrize("alpha", [0.05, 0.0294])
def test_seeds_needed_have_the_power(effect, alpha, draws=20_000):
    n = intervals.seeds_needed(effect, 1.0, alpha=alpha)

    def power(n):
        low, _ = intervals._ends(np.random.default_rng(n).normal(effect, 1, (n, draws)), alpha / 2, 1 - alpha / 2)
        return np.mean(low > 0)

    assert power(n) >= 0.79 and (n == 2 or power(n - 1) < 0.81)


def test_seeds_needed_at_the_edges():
    assert intervals.seeds_needed(0.0, 1.0) is None
    assert intervals.seeds_needed(0.001, 1.0) is None  # more than 1,000
    assert intervals.seeds_needed(0.0, 0.0) is None and intervals.seeds_needed(0.1, 0.0) == 2
    assert intervals.seeds_needed(0.0, 1e-20, within=0.01) == 2  # a deviation that is rounding
    assert intervals.seeds_needed(0.5, 1e-20) == 2
    assert intervals.seeds_needed(0.0, 1.0, within=1.0) < intervals.seeds_needed(0.0, 1.0, within=0.5)
    towards, against = (intervals.seeds_needed(effect, 1.0, comparisons=9) for effect in (0.5, -0.5))
    assert towards == intervals.seeds_needed(0.5, 1.0) < against  # failures are judged at a corrected level


def test_few_seeds_say_how_many():
    found = judged(claim(min_seeds=3), experiment(a=[0.5, 0.6], b=[0.3, 0.35]))
    assert (found["verdict"], found["reason"], found["n"]) == ("inconclusive", "too_few_seeds", 2)
    assert found["seeds_needed"] >= 3
    one = judged(claim(min_seeds=1), experiment(a=[0.5], b=[0.3]))
    assert (one["verdict"], one["reason"], one["ci_low"], one["seeds_needed"]) == (
        "inconclusive", "too_few_seeds", None, None)  # fmt: skip


def test_values_that_are_no_numbers():
    nan = experiment(a=[np.nan] * 4, b=[0.3] * 4)
    found = judged(claim(), nan)
    assert (found["verdict"], found["n"], found["estimate"]) == ("inconclusive", 0, None)
    series = experiment(a=[[0.5, 0.6], [0.4, np.nan], [0.5, 0.61]], b=[[0.1, 0.1]] * 3)
    assert (judged(claim(measure=EVERY), series)["verdict"], judged(claim(measure=EVERY), series)["n"]) == ("holds", 2)


def test_a_series_of_one_record_is_a_number():
    numbers = {"a": [0.52, 0.55, 0.53], "b": [0.5, 0.51, 0.49]}
    one = {name: np.array(values)[:, None] for name, values in numbers.items()}
    last, every = judged(claim(), experiment(**numbers)), judged(claim(measure=EVERY), experiment(**one))
    for key in ("verdict", "n", "estimate", "ci_low", "ci_high"):
        assert last[key] == every[key]


def test_every_seed_with_ties():
    tied = experiment(a=[0.5, 0.6, 0.7], b=[0.5, 0.5, 0.5])
    assert judged(claim("a minus b >= 0", evidence="every_seed"), tied)["verdict"] == "holds"
    assert judged(claim("a minus b > 0", evidence="every_seed"), tied)["verdict"] == "inconclusive"
    assert judged(claim("a minus b < 0", evidence="every_seed"), tied)["verdict"] == "inconclusive"
    assert judged(claim("b minus a >= 0.01", evidence="every_seed"), tied)["verdict"] == "fails"


# --- contrasts and records --------------------------------------------------------------------------------------

TREND = {"contrast": {"x": -1.0, "y": 0.25, "z": 0.75}}


def test_a_contrast_is_a_weighted_sum_by_seed():
    draw = np.random.default_rng(0)
    values = {
        name: {o: draw.normal(level, 0.01, 5) for o in "ab"} for name, level in (("x", 0.5), ("y", 0.6), ("z", 0.7))
    }
    for number, name in enumerate("xyz"):
        values[name]["a"] = values[name]["a"] + 0.1 * number
    found = judged(claim(**TREND), *(experiment(name, **own) for name, own in values.items()))
    each = sum(w * (values[n]["a"] - values[n]["b"]) for n, w in TREND["contrast"].items())
    assert found["estimate"] == pytest.approx(each.mean())
    assert (found["ci_low"], found["ci_high"]) == pytest.approx(intervals.interval(each))
    assert (found["verdict"], found["experiments"]) == ("holds", ["x", "y", "z"])
    assert found["datasets"] == ["data of x", "data of y", "data of z"]
    less = {o: dict(enumerate(v)) for o, v in values["y"].items()}
    del less["a"][2]
    missing = judged(claim(**TREND), *(experiment(n, **(less if n == "y" else own)) for n, own in values.items()))
    kept = [0, 1, 3, 4]
    assert missing["n"] == 4 and missing["estimate"] == pytest.approx(each[kept].mean())
    assert "y: seed 2 was not run with both" in missing["note"]
    gone = experiment("z", a=values["z"]["a"])
    gone.cache["b"] = {}, []
    assert judged(claim(**TREND), *(experiment(n, **values[n]) for n in "xy"), gone)["n"] == 0


def test_records_carry_what_a_reader_needs():
    found = judged(claim(id="A1.1", kind="audit", headline=True, set_by="project", set_when="after"),
                   experiment(a=[0.5, 0.6, 0.55], b=[0.1, 0.1, 0.12]))  # fmt: skip
    said = {"kind": "audit", "unit": "points", "scale_factor": 100.0, "headline": True, "smallest_effect": 0.01,
            "set_by": "project", "set_when": "after", "experiments": ["x"], "datasets": ["data of x"], "variant": "",
            "tolerance_reason": "None is needed here.", "reason": None, "seeds_needed": None}  # fmt: skip
    assert {key: found[key] for key in said} == said
    for name, kind in (("A1.1", "paper"), ("C1.1", "audit"), ("T1.1", "control")):
        with pytest.raises(ValueError, match="allowed: paper for ids with C, L, T, P; control, audit for A"):
            claim(id=name, kind=kind)


# --- the furthest common level ------------------------------------------------------------------------------------

LOSS = Recorded("loss", "train")
AT = {"statistic": "value_when", "of": "accuracy of minority on test", "level": "furthest"}


def two_clocks(clock, a, b, more=None):
    """Runs of two optimizers with the same clock for all their seeds, and accuracies 0, 0.1, 0.2 ... (b: half)."""
    rise = 0.1 * np.arange(4)
    clocks = {"a": [a] * 3, "b": [b] * 3} | (more or {})
    noise = (0.0, 0.001, -0.001)
    values = {"a": [rise + e for e in noise], "b": [rise / 2 + e / 2 for e in noise]}
    return experiment(more={clock: clocks}, **values)


def test_the_furthest_level_is_one_that_all_runs_get_to():
    falling = claim(measure=AT | {"clock": "loss on train"})
    runs = two_clocks(LOSS, [1.0, 0.6, 0.2, 0.0], [1.0, 0.9, 0.8, 0.7])
    found = judged(falling, runs)
    assert "loss (train, all) at 0.7, the furthest that all compared runs get to" in found["note"]
    assert found["n"] == 3 and found["estimate"] == pytest.approx(0.075 - 0.15)  # 1.0 to 0.6: 0.7 at 3/4
    one = two_clocks(LOSS, [1.0, 0.6, 0.2, 0.0], [1.0, 0.9, 0.8, 0.7],
                     {"b": [[1.0, 0.9, 0.8, 0.7], [1.0, 0.9, 0.8, 0.75], [1.0, 0.9, 0.8, 0.7]]})  # fmt: skip
    assert "at 0.75, the furthest" in judged(falling, one)["note"]  # the one seed that got least far


def test_accuracies_rise_and_losses_fall_after_their_worst_record():
    train = Recorded("accuracy", "train", "minority")
    rising = claim(measure=AT | {"clock": "accuracy of minority on train"})
    found = judged(rising, two_clocks(train, [0.5, 0.0, 0.4, 0.8], [0.5, 0.0, 0.2, 0.4]))
    assert "at 0.4, the furthest" in found["note"]  # not the 0.5 of a model that predicts one class
    assert found["estimate"] == pytest.approx(0.2 - 0.15)
    relative = claim(measure=AT | {"clock": {"of": "accuracy of minority on train", "relative_to": "last"}})
    assert "at 1, the furthest" in judged(relative, two_clocks(train, [0.5, 0, 0.4, 0.8], [0.5, 0, 0.2, 0.4]))["note"]


def test_the_furthest_level_is_never_undefined():
    falling = claim(measure=AT | {"clock": "loss on train"})
    stuck = judged(falling, two_clocks(LOSS, [1.0, 0.6, 0.2, 0.0], [1.0, 1.0, 1.0, 2.0]))
    assert stuck["n"] == 3 and "at 2, the furthest" in stuck["note"]  # the first one is read at its worst record
    broken = two_clocks(LOSS, [1.0, 0.6, 0.2, 0.0], [1.0, 0.9, 0.8, 0.7],
                        {"b": [[1.0, 0.9, 0.8, 0.7], [1.0, np.nan, 0.8, 0.9], [1.0, 0.9, 0.8, 0.7]]})  # fmt: skip
    found = judged(falling, broken)
    assert found["n"] == 2 and "at 0.7, the furthest" in found["note"] and "not finite everywhere" in found["note"]
    none = judged(falling, two_clocks(LOSS, [np.nan] * 4, [np.nan] * 4))
    assert (none["verdict"], none["n"]) == ("inconclusive", 0)
    assert CURVE.floored and not LOSS.floored
