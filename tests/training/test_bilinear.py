"""The bilinear task: gradients, measurements against plain loops, equal rates with the exact polar factor."""

import math

import numpy as np
import pytest
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.tables import concepts, organisms
from muon_imbalance.optimizers import registry
from muon_imbalance.plan.job import Job
from muon_imbalance.stages import train
from muon_imbalance.training.checkpoints import Checkpoints
from tests.training.small_tasks import made

SETTINGS = {"dataset": {"name": "organisms", "builder": "organisms", "config": {}},
            "model": {"name": "bilinear", "hidden": [20], "init_std": 0.01}}  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data") / "organisms"
    organisms.build({}, {}, folder)
    return folder


def task_of(data, seeds=(0, 1), **model):
    settings = SETTINGS | {"model": SETTINGS["model"] | model}
    return made("bilinear", settings, seeds, data)


def anywhere(task, seed=0):
    rng = torch.Generator().manual_seed(seed)
    return {name: value + torch.randn(value.shape, generator=rng, dtype=torch.float64)
            for name, value in task.init().items()}  # fmt: skip


@pytest.mark.parametrize("broken", [False, True])
def test_loss_and_gradients_are_those_of_autograd(data, broken):
    """``broken`` gives the task another target than the table: the comparison must notice (mutation)."""
    task, target = task_of(data), torch.from_numpy(organisms.read_table().probability)
    if broken:
        task.target = task.target.roll(1, 1)
    tensors = {name: value.requires_grad_() for name, value in anywhere(task).items()}
    logits = tensors["left"] @ tensors["right"]
    each = [torch.nn.functional.cross_entropy(model.T, target.T) for model in logits]  # mean over attributes
    sum(each).backward()
    loss, grads, measured = task.gradients({name: value.detach() for name, value in tensors.items()}, True)
    same = [torch.allclose(loss, torch.stack(each).detach())]
    same += [torch.allclose(grads[name], tensor.grad, atol=1e-12) for name, tensor in tensors.items()]
    assert all(same) != broken
    if not broken:
        sizes = [4, 4, 8, 8, 4, 4, 4, *[2] * 6]
        floor = sum(math.log(size) for size in sizes) / 13
        assert measured["train", "all", "excess_loss"].numpy() == pytest.approx(loss.numpy() - floor)
        assert measured["train", "all", "loss"].numpy() == pytest.approx(loss.numpy())


def test_the_start(data):
    task = task_of(data, seeds=range(40))
    params = task.init()
    assert params["left"].shape == (40, 12, 20) and params["right"].shape == (40, 20, 13)
    for value in params.values():
        assert float(value.std()) == pytest.approx(0.01, rel=0.03) and abs(float(value.mean())) < 3e-4
    assert torch.equal(task_of(data, seeds=[7]).init()["left"][0], params["left"][7])


def test_measurements_against_plain_loops(data):
    task, table = task_of(data), organisms.read_table()
    params = anywhere(task, 3)
    values = {key: value.numpy() for key, value in task.evaluate(params).items()}
    for model in range(2):
        z = params["left"][model].numpy() @ params["right"][model].numpy()
        s = np.exp(z) / np.exp(z).sum(0)
        for metric, kind in (("component", concepts.modes), ("distinction", concepts.distinctions)):
            found = kind(table)
            for name, u, v, size in zip(found.names, found.left, found.right, found.size, strict=True):
                assert values["train", name, metric][model] == pytest.approx(u @ (s - 1 / 12) @ v / size)
                if metric == "component":
                    assert values["train", name, "strength"][model] == pytest.approx(u @ (s - 1 / 12) @ v)
        right = [table.has[a, s[:, a].argmax()] for a in range(13)]
        for a in range(13):
            assert values["train", f"attribute_{a}", "answer"][model] == s[:, a].argmax()
        levels = {1: [right[0:2], right[2:4]], 2: [right[4:6], right[6:7]], 3: [[r] for r in right[7:]]}
        for level, rows in levels.items():
            expected = np.mean([np.mean(row) for row in rows])
            assert values["train", f"level_{level}", "recall"][model] == pytest.approx(expected)
        examples = concepts.confusion(table, s) / np.array([8, 16, 8, 4, *[2] * 6])[:, None]
        for r, row in enumerate(table.categories):
            for c, column in enumerate(table.categories):
                assert values["train", f"{row}>{column}", "mass"][model] == pytest.approx(examples[r, c])


def path(task, rule, steps, **hyper):
    """``{metric, group: [steps + 1, S]}`` of a training."""
    optimizer, params = registry.build(rule, **hyper), task.init()
    state, rows = optimizer.init(params), []
    for _ in range(steps + 1):
        _, grads, measured = task.gradients(params, True)
        rows.append(measured | task.evaluate(params))
        params, state = optimizer.step(params, grads, state)
    return {key: torch.stack([row[key] for row in rows]).numpy() for key in rows[0]}


@pytest.mark.parametrize(("rule", "equal"), [("muon_exact", True), ("gd", False)])
def test_the_exact_polar_factor_raises_all_modes_at_one_rate(data, rule, equal):
    """App. A near the uniform answer; GD (mutation) does not."""
    hyper = {"lr": 0.02, "momentum": 0.9, "scale": "none"} if equal else {"lr": 0.5}
    found = path(task_of(data, seeds=range(3)), rule, 40 if equal else 100, **hyper)
    strengths = np.stack([value[-1] for (_, _, metric), value in found.items() if metric == "strength"])
    assert (strengths.min(0) / strengths.max(0) > 0.9).all() == equal


@pytest.mark.parametrize("rule", ["gd", "muon", "muon_ns1", "muon_exact"])
def test_a_stack_equals_models_alone(data, rule):
    together = path(task_of(data, seeds=[0, 1, 2]), rule, 15, lr=0.02)
    alone = path(task_of(data, seeds=[2]), rule, 15, lr=0.02)
    # the exact factor has singular values down to its cut-off, r = 1e-6 of the largest, as 1 within 1e-16 / r^2 only
    rtol, atol = (1e-6, 1e-9) if rule == "muon_exact" else (1e-8, 1e-12)
    for key in [key for key in together if key[2] in ("component", "excess_loss")]:
        np.testing.assert_allclose(together[key][:, 2], alone[key][:, 0], rtol=rtol, atol=atol)


def test_a_job_writes_the_tidy_table(data, tmp_path):
    job = Job("organisms", "gd", "final", "bilinear", "gd", [{"lr": "0.5"}], [0, 1], {"every": 4}, 8,
              settings=SETTINGS, dtype="float64", stack=2)  # fmt: skip
    with Checkpoints(tmp_path / "checkpoints", train.identity(job, data)) as checkpoints:
        frame = train.run_job(job, data, [], checkpoints).to_pandas()
    assert set(frame["metric"]) == {
        "loss", "excess_loss", "component", "strength", "distinction", "answer", "recall", "mass"
    }  # fmt: skip
    assert set(frame["step"]) == {0, 4, 8} and set(frame["split"]) == {"train"} and frame["value"].notna().all()
    start = frame[(frame["metric"] == "excess_loss") & (frame["step"] == 0)]["value"]
    assert start.to_numpy() == pytest.approx(math.log(12) - 1.1729, abs=1e-3)


def test_two_widths_are_refused(data):
    with pytest.raises(UserError, match=r"model.hidden = \[20, 20\]; allowed: a list of whole numbers .* with 1 entry"):
        task_of(data, hidden=[20, 20])
