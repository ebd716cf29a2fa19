"""Verdicts of Figs 6, 14, 15 and 29: they hold on runs made so, and flip when the runs are altered."""

import numpy as np
import pandas as pd
import pytest

from .group_runs import GRID, SELECTION, all_optimizers, depths, losses
from .synthetic import changed, collapsed, record, stated, swapped, verdict

SETTINGS = {"sweep": {"muon": GRID}, "selection": SELECTION}
FRAMES = {"colored_mnist_grid": all_optimizers, "colored_mnist_depth": depths, "colored_mnist_weights": losses}
NAMES = [name for name, claim in stated().items() if claim.experiment in FRAMES and claim.figure != "fig_s9"]
MUON = ["C14.1", "C15.2.muon", "A15.2"]


def swapped_variants(frame: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """Two variants exchange their names."""
    return frame.assign(hyper=frame["hyper"].replace({f'{{"variant": "{a}"}}': f'{{"variant": "{b}"}}',
                                                      f'{{"variant": "{b}"}}': f'{{"variant": "{a}"}}'}))  # fmt: skip


@pytest.mark.parametrize("claim", NAMES)
def test_holds_on_runs_made_so(claim):
    found = record(claim, FRAMES[stated()[claim].experiment](), settings=SETTINGS)
    assert found["verdict"] == "holds", found["note"]


@pytest.mark.parametrize("claim", NAMES)
def test_not_judged_at_smoke_scale_or_without_runs(claim):
    assert verdict(claim, FRAMES[stated()[claim].experiment](), scale="smoke") == "not-run"
    assert verdict(claim, None) == "not-run"


@pytest.mark.parametrize("claim", [*MUON, "A15.1", "A15.1.loss", "A15.1.majority", "A15.1.minority"])
@pytest.mark.parametrize("control", ["nmd", "signum"])
def test_swapping_muon_and_a_control_fails(claim, control):
    assert verdict(claim, swapped(all_optimizers(), "muon", control)) == "fails"


@pytest.mark.parametrize("claim", MUON)
def test_variants_are_judged_on_their_own_runs(claim):
    frame = swapped(all_optimizers(), "muon_ns1", "sgd").query("optimizer != 'sgd'")
    frame = pd.concat([frame, all_optimizers().query("optimizer == 'sgd'")], ignore_index=True)
    assert verdict(f"{claim}@muon_ns1", frame) != "holds"
    assert verdict(claim, frame) == verdict(f"{claim}@muon_exact", frame) == "holds"


@pytest.mark.parametrize("claim", MUON)
def test_a_collapsed_muon_fails(claim):
    """It has 50 % on the minority at every step, more than any working method."""
    assert verdict(claim, collapsed(all_optimizers(), "muon")) == "fails"


def test_both_parts_of_signum_and_adam_are_needed():
    frame = all_optimizers()
    assert verdict("C15.1", swapped(frame, "signum", "signgd")) == "fails"
    strong = changed(frame, lambda t, v: np.minimum(4 * v, 1.0), optimizer="adam", metric="accuracy", group="minority")
    found = record("C15.1", strong)
    assert found["verdict"] == "fails" and found["note"].startswith(
        "signum over adam, area of Signum over that of Adam"
    )


def test_shampoo_is_part_of_the_claim_but_not_of_its_second_version():
    frame = swapped(all_optimizers(), "shampoo", "adam")
    assert verdict("C15.2", frame) == "fails"
    assert verdict("C15.2.muon", frame.query("optimizer != 'shampoo'")) != "not-run"


@pytest.mark.parametrize("claim", [name for name in NAMES if stated()[name].experiment == "colored_mnist_depth"])
def test_swapping_the_depths_fails(claim):
    assert verdict(claim, swapped_variants(depths(), "layers2", "layers4")) == "fails"


@pytest.mark.parametrize("rule", ["specgd", "ngd"])
def test_four_layers_that_never_get_there_cannot_hold(rule):
    never = {("specgd", "layers2"): 90, ("specgd", "layers4"): 50, ("ngd", "layers2"): 160, ("ngd", "layers4"): 90}
    frame = depths(never | {(rule, "layers2"): 900, (rule, "layers4"): 900})
    for claim in ("C6.1", "C6.2"):
        name = claim if rule == "specgd" else f"{claim}.ngd"
        assert verdict(name, frame) == "inconclusive"


def test_speed_alone_is_not_a_smaller_relative_gap():
    """Twice as fast in both groups: earlier, with a shorter interval, at equal relative time."""
    from .group_runs import accuracies, variant_run

    parts = []
    for seed in range(3):
        jitter = 4 * (seed - 1)
        for variant, factor in (("layers2", 2), ("layers4", 1)):
            steps = np.arange(0, 201, 4)
            curves = accuracies(steps / factor, 48 + jitter, 0.3, start=8)
            for rule in ("specgd", "ngd"):
                parts.append(variant_run("colored_mnist_depth", rule, variant, seed, curves, steps))
    frame = pd.concat(parts, ignore_index=True)
    assert verdict("C6.1", frame) == verdict("C6.2", frame) == "holds"
    assert verdict("A6.1", frame) != "holds"


@pytest.mark.parametrize("claim", ["C29.1", "C29.2", "C29.3", "A29.1", "A29.2"])
def test_swapping_the_losses_or_methods_flips(claim):
    altered = (
        swapped_variants(losses(), "ce", "weighted")
        if claim in ("C29.1", "C29.2")
        else swapped(losses(), "muon", "nmd")
    )
    assert verdict(claim, altered) == "fails"


def test_muon_without_weights_must_lead_nmd():
    assert verdict("C29.4", swapped(losses(), "muon", "nmd")) == "fails"


def test_a_collapsed_weighted_model_has_no_minority():
    """Half of each group right all the time: the groups agree, but nothing is learned."""
    frame = changed(losses(), lambda t, v: 0.5, optimizer="nmd", hyper='{"variant": "weighted"}', metric="accuracy")
    assert verdict("C29.1", frame) == verdict("C29.2", frame) == "fails"


def test_groups_that_part_at_one_step_fail():
    apart = changed(losses(), lambda t, v: np.where(t == 40, 0.5, v), optimizer="nmd", group="minority")
    assert verdict("C29.1", apart) == "fails"
    early = changed(losses(), lambda t, v: np.where(t == 10, 0.5, v), optimizer="nmd", group="minority")
    assert verdict("C29.1", early) == "holds"
