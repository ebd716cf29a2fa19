"""Ways to train a sweep: all give the same numbers, on tiny shapes; nothing here is timed."""

from dataclasses import replace

import pytest
import torch
import yaml

from benchmarks import about, sweep_models, sweep_page, sweep_stacks, sweep_ways, sweeps
from benchmarks.sweep_ways import Cost

PLAN = sweep_models.Plan(
    samples=120, models={"one hidden layer": [6], "four layers": [6, 5, 4]}, lrs=3, seeds=2, stack=4, chunk=50, steps=3,
    loop_models=2, rounds=1, run_steps=2, run_samples={"one hidden layer": 60, "four layers": 120},
    run_lrs={"one hidden layer": 2, "four layers": 2}, run_rounds=1, stack_rounds=1, dtype="float64",
)  # fmt: skip
CONFIG = """
datasets:
  colored: {builder: colored_mnist, config: {resolution: 14, train: 40}}
  mixture: {builder: gaussian_mixture, config: {train: 30, dimension: 8, classes: 3}}
experiments:
  tinted: {task: stacked_classification, dataset: colored, model: {name: mlp, hidden: [5, 4]}, stack: 3, chunk: 16,
           dtype: float64}
  linear: {task: stacked_classification, dataset: mixture, model: {name: linear, init_std: 0.1}, stack: 2, chunk: 9,
           dtype: float64}
  fixed: {task: stacked_classification, dataset: mixture, model: {name: one_hidden, hidden: [6], init_std: 1}, stack: 2,
          chunk: 30, dtype: float64}
  alone: {task: stacked_classification, dataset: mixture, model: {name: linear}, stack: 1}
  theory: {task: theory}
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return sweep_models.dataset(tmp_path_factory.mktemp("sweeps"), PLAN.samples, PLAN.seeds)


@pytest.fixture
def config():
    return yaml.safe_load(CONFIG)


def both(data, model, rule):
    """Final losses of the loop and of the two workers' shares, by learning rate and seed."""
    whole = sweep_models.job(PLAN, model, rule, PLAN.rates(3), [0, 1], 3)
    batches = {seed: sweep_models.batch(data, seed, torch.float64) for seed in (0, 1)}
    looped = list(sweep_models.loop(whole, data, batches))
    stacked = {}
    for share in sweep_ways.shares(whole, 2):
        stacked |= sweep_ways.work((share, data))[1]
    assert len(stacked) == len(looped) == 6
    return [stacked[run.cell["lr"], run.seed] for run in whole.runs()], looped


@pytest.mark.parametrize("model", PLAN.models)
def test_loop_and_stacks_give_the_same_losses(data, model):
    stacked, looped = both(data, model, "adam")
    assert stacked == pytest.approx(looped, rel=1e-10)
    assert len(set(looped)) == 6


def test_muon_of_torch_differs_by_its_bfloat16(data):
    stacked, looped = both(data, "four layers", "muon")
    assert stacked == pytest.approx(looped, rel=1e-3) and stacked != pytest.approx(looped, rel=1e-10)


def test_another_optimizer_is_noticed(data, monkeypatch):
    """Mutation: SGD in the loop must break the comparison above."""
    monkeypatch.setattr(sweep_models, "torch_optimizers", lambda rule, params, lr: [torch.optim.SGD(params, lr=lr)])
    with pytest.raises(AssertionError):
        test_loop_and_stacks_give_the_same_losses(data, "four layers")


def test_workers_and_processes_train_the_same_runs(data):
    """A sweep in a worker process equals the shares trained here; one process per run is the same stage."""
    whole = sweep_models.job(PLAN, "one hidden layer", "adam", PLAN.rates(2), [0], 2)
    here = {}
    for share in sweep_ways.shares(whole, 2):
        here |= sweep_ways.work((share, data))[1]
    with sweep_ways.Workers(1) as workers:
        cost, there = workers.sweep(whole, data)
    assert here == there and cost.wall > 0 and cost.cpu > 0
    single = replace(whole, cells=whole.cells[:1])
    assert sweep_ways.stage([single], data).wall > 0
    with pytest.raises(RuntimeError, match="hidden"):
        wrong = single.settings | {"model": {"name": "one_hidden", "hidden": [2, 2], "init_std": 1}}
        sweep_ways.stage([replace(single, settings=wrong)], data)


def test_configured_stacks_agree_with_plain_modules(config):
    found = list(sweep_stacks.configured(config))
    assert [given.name for given in found] == ["tinted", "linear", "fixed"]
    for given in found:
        assert sweep_stacks.agreement(given) < 1e-12
        assert len(sweep_stacks.measure(given, 1, updates=1)) == 1


def test_every_stack_of_the_project_is_found():
    assert {"colored_mnist", "linear_softmax", "logit_spectrum"} <= {s.name for s in sweep_stacks.configured()}


def test_page_and_bounds():
    fast, slow = Cost(1.0, 1.0), Cost(2.0, 2.0)
    results = sweep_page.Results(
        {("one hidden layer", "adam"): [(slow, fast)], ("four layers", "adam"): [(slow, fast)]},
        {"four layers": [(slow, fast)]},
        {"tinted": [(fast, slow)]},
        ["convolution"],
    )
    assert [(gate.bound, gate.passed) for gate in sweep_page.gates(results)] == [
        (2.5, False), (1.8, True), (4.0, False), (0.85, False),
    ]  # fmt: skip
    text = sweep_page.page(results, PLAN, about.words())
    assert "| four layers, adam | 2000.00 | 1000.00 | 2.00 | 2.00 |" in text
    assert (
        "| stack of tinted against the loop | 0.50 | 0.85 | no |" in text and "no chains of layers: convolution" in text
    )


@pytest.mark.slow
def test_a_tiny_measurement_from_end_to_end(config):
    said = []
    results = sweeps.run(replace(PLAN, rules=("adam",), workers=1), said.append, config)
    assert len(results.loops) == 2 and len(results.processes) == 2 and len(results.stacks) == 3 and len(said) == 8
    assert all(gate.value > 0 for gate in sweep_page.gates(results))
