"""`make more`: what it asks for, what it refuses, and that it adds up."""

from dataclasses import replace

import pytest
import yaml

from muon_imbalance.common.errors import UserError
from muon_imbalance.plan import archive, files, more_seeds

from .configurations import at, planned

FIG_1, TOY = "C1.1", "C9.1.toystories"


def test_the_experiment_of_a_claim_and_its_data_set_get_more():
    found = more_seeds.wanted(planned(), FIG_1, 8)
    assert found == {
        "experiments": {"colored_mnist": {"seeds": 8}},
        "datasets": {"colored_mnist": {"config": {"repetitions": 8}}},
    }
    plan = planned(found)  # and is a configuration that can be run
    assert plan.training["colored_mnist"].seeds == 8
    assert more_seeds.wanted(planned(), TOY, 8) == {"experiments": {"toystories": {"seeds": 8}}}  # one text for all


@pytest.mark.parametrize(
    ("claim", "seeds", "message"),
    [
        ("C1.9", 8, r"make more: CLAIM = 'C1.9'; allowed: an id of claims/"),
        (FIG_1, 6, r"experiment colored_mnist: SEEDS = 6; allowed: 8 \(looks planned beyond 5\)"),
        (FIG_1, 5, r"SEEDS = 5; allowed: 8"),
        ("C14.1", 8, r"experiment colored_mnist_grid: SEEDS = 8; allowed: none \(looks planned beyond 5\)"),
        ("T1.1", 8, r"claim T1.1 is computed, not sampled"),
        ("C2.1", 8, r"claim C2.1 is computed, not sampled"),
    ],
)
def test_what_is_refused(claim, seeds, message):
    with pytest.raises(UserError, match=message):
        more_seeds.wanted(planned(), claim, seeds)


def test_what_was_asked_for_adds_up(tmp_path):
    plan = replace(planned(), root=tmp_path)
    plan_claims = planned()
    (tmp_path / "claims").symlink_to(plan_claims.root / "claims")
    for claim in (FIG_1, TOY):
        file = more_seeds.write(plan, claim, 8)
    assert file == tmp_path / files.results(plan) / "more.yaml"
    assert yaml.safe_load(file.read_text())["experiments"] == {
        "colored_mnist": {"seeds": 8},
        "toystories": {"seeds": 8},
    }


@pytest.mark.parametrize(
    ("looks", "message"),
    [
        ([8, 5], r"looks: \[8, 5\] are not ascending"),
        ([5, 5], r"looks: \[5, 5\] are not ascending"),
        ([1, 5], "looks.0 = 1; allowed: a list of whole numbers from 2"),
        ("all", "looks = 'all'; allowed: a list of whole numbers from 2"),
        (8, "looks = 8; allowed: a list of whole numbers from 2"),
    ],
)
def test_looks_are_ascending(looks, message):
    with pytest.raises(UserError, match=f"experiments.colored_mnist.{message}"):
        planned(at("experiments/colored_mnist/looks", looks))


def test_without_looks_no_more_repetitions_are_planned():
    plan = planned(at("experiments/colored_mnist/looks", []))
    with pytest.raises(UserError, match=r"SEEDS = 8; allowed: none \(looks planned beyond 5\)"):
        more_seeds.wanted(plan, FIG_1, 8)


def test_an_archive_that_lacks_a_table_is_refused(tmp_path):
    with pytest.raises(
        UserError, match=r"results_from = 'nowhere': nowhere/.* is not there \(\d+ of \d+ files missing\)"
    ):
        planned({"results_from": "nowhere"})
    with pytest.raises(UserError, match="run `make paper SCALE=laptop` to its end first"):
        archive.keep(replace(planned(), root=tmp_path), tmp_path / "reference")
