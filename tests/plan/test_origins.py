"""Where a figure's settings come from goes into its provenance."""

import json

import pytest

from muon_imbalance.plan import figures

from .configurations import plan_of


@pytest.mark.parametrize(("scale", "origin"), [("laptop", "chosen"), ("paper", "paper")])
def test_a_figure_says_where_its_settings_come_from(scale, origin):
    found = json.loads(figures.provenance(plan_of(scale), "fig_03"))["origins"]
    assert found["datasets.cifar10_r20.config.resolution"] == origin
    assert found["datasets.cifar10_r20.config.ratio"] == "paper"
    assert {name.split(".")[1] for name in found} == {"cifar10_r20", "cifar10_r5", "cifar100_r20"}


def test_a_table_without_experiments_has_none():
    assert json.loads(figures.provenance(plan_of("laptop"), "tab_1"))["origins"] == {}
