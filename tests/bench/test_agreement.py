"""The agreement table: its rows hold on tiny shapes, and a wrong coefficient breaks them."""

import dataclasses

import pytest
import torch

from benchmarks import agreement, contestants, parallel, rows, shapes
from benchmarks.precision import half_precision_taken_out

from . import tiny


def test_every_row_is_explained():
    assert agreement.unexplained(tiny.results().outcomes) == []


def test_every_difference_of_an_algorithm_has_an_explaining_row():
    """Also of those whose references are not here."""
    every = set(contestants.ours()) | set(contestants.public())
    every |= {row.public for row in rows.rows(Everything())}
    table = rows.rows(every)
    keys = {row.key for row in table}
    for row in table:
        if row.explained is not None:
            assert row.explained in keys
        else:
            assert row.tolerance is not None and row.tolerance <= (1e-4 if row.double else 1e-3), row


class Everything(set):
    def __contains__(self, item) -> bool:
        return True


WRONG = ((3.4445, -4.7760, 2.0315),)


@pytest.mark.parametrize("public", ["torch.optim.Muon", "pytorch-optimizer Muon"])
def test_a_wrong_coefficient_breaks_its_row(public):
    mutant = contestants.newton_schulz_muon(WRONG)
    found = contestants.ours() | contestants.public() | {"Muon": lambda params: mutant(params, **contestants.MUON)}
    row = next(row for row in rows.rows(set(found)) if row.key == (public, "float64"))
    row = dataclasses.replace(row, ours="Muon")
    outcome = agreement.Runs(found, tiny.SETS, 1).outcome(row)
    assert not outcome.within
    assert len(agreement.unexplained([outcome])) == 1


@pytest.mark.parametrize(
    ("name", "public", "change"),
    [
        ("Adam", "torch.optim.Adam", {"eps": 1e-6}),
        ("SGD", "torch.optim.SGD", {"weight_decay": 0.011}),
        ("Lion", "pytorch-optimizer Lion", {"betas": (0.9, 0.98)}),
        ("Shampoo, sums", "pytorch-optimizer Shampoo", {"epsilon": 2e-6}),
        ("Signum", "pytorch-optimizer SignSGD", {"momentum": 0.8}),
    ],
)
def test_a_wrong_setting_breaks_its_row(name, public, change):
    found = contestants.ours() | contestants.public()
    right = found[name]
    found[name] = lambda params: right(params, **change)
    (row,) = [row for row in rows.rows(set(found)) if row.key == (public, "float64")]
    assert not agreement.Runs(found, tiny.SETS, 10).outcome(row).within


def test_a_missing_explanation_is_told():
    outcomes = tiny.results().outcomes
    bare = [outcome for outcome in outcomes if outcome.row.key != ("torch.optim.Muon", "float64")]
    assert any("no row bears out its reason" in line for line in agreement.unexplained(bare))


def test_a_number_that_is_not_finite_is_no_agreement():
    outcome = tiny.results().outcomes[0]
    chosen = next(iter(outcome.differences))
    spoilt = dataclasses.replace(outcome, differences={chosen: {1: float("nan"), 10: 0.0}})
    assert not spoilt.within


def test_relative_difference_is_that_of_the_worst_parameter():
    public = [torch.ones(4), torch.ones(9)]
    assert agreement.relative_difference([torch.ones(4), 1.5 * torch.ones(9)], public) == pytest.approx(0.5)


def test_public_code_is_put_back():
    x = torch.ones(2, 3)
    with half_precision_taken_out():
        assert x.bfloat16().dtype == torch.float32 and x.bfloat16() is not x
    assert x.bfloat16().dtype == torch.bfloat16


def test_sets_are_those_of_the_networks():
    sizes = {
        name: round(sum(map(torch.Size.numel, map(torch.Size, given))) / 1e6, 2) for name, given in shapes.SETS.items()
    }
    assert sizes == {  # millions
        "MLP": 1.73,
        "ResNet-18 w16": 0.7,
        "transformer d128": 0.79,
        "transformer d256": 3.15,
        "ResNet-18 w64": 11.16,
    }


def test_flops_of_the_iteration():
    """One step of 3 x 5: X X^T 90, its square 54, the product with X 90 operations."""
    assert shapes.newton_schulz_flops([(5, 3)], steps=1) == 234
    assert shapes.newton_schulz_flops([(3, 5, 1, 1)], steps=1) == 234


def test_gradients_are_the_same_for_everyone():
    one, other = (list(shapes.gradients([(3, 4), (2, 2, 1, 1)], 2)) for _ in range(2))
    assert all(torch.equal(a, b) for x, y in zip(one, other, strict=True) for a, b in zip(x, y, strict=True))
    assert not torch.equal(one[0][0], one[1][0])


@pytest.mark.slow
def test_two_processes_find_what_one_finds():
    """On two rows; the tasks of a set are told apart by precision and form."""
    tasks = list(parallel._tasks(rows.rows(set(contestants.ours()) | set(contestants.public()))))
    assert len({(chosen, i) for chosen, numbers in tasks for i in numbers}) == sum(len(n) for _, n in tasks)
    alike = parallel.outcomes({"SGD", "torch.optim.SGD"}, tiny.SETS, 10, None, 2, lambda line: None)
    alone = parallel.outcomes({"SGD", "torch.optim.SGD"}, tiny.SETS, 10, None, 0, lambda line: None)
    assert [o.differences for o in alike] == [o.differences for o in alone]
    assert len(alike) == 2
