"""Norms of weights and the terms of the KKT condition, against NumPy and against the optimizers' norms."""

import numpy as np
import pytest
import torch

from muon_imbalance.optimizers.geometry.norms import Frobenius, KyFan, Max, Spectral
from muon_imbalance.theory import constraints
from muon_imbalance.training.metrics import norm_balls
from tests.training.small_tasks import made

from ..optimizers.projections import project

NORMS = {"frobenius": Frobenius(), "ky_fan": KyFan(2), "max": Max(), "spectral": Spectral()}
MIXTURE = {"k": 3, "d": 4, "p": [0.5, 0.3, 0.2], "mu": 1.0, "sigma2": 0.1}


def by_hand(w, g):
    """Norm of w and dual norm of g, both matrices, from the formulas."""
    s, t = (np.linalg.svd(x, compute_uv=False) for x in (w, g))
    return {
        "frobenius": (np.sqrt((w**2).sum()), np.sqrt((g**2).sum())),
        "ky_fan": (max(s[0], s.sum() / 2), t[:2].sum()),
        "max": (np.abs(w).max(), np.abs(g).sum()),
        "spectral": (s[0], t.sum()),
    }


@pytest.fixture
def tensors():
    rng = torch.Generator().manual_seed(0)
    shapes = {"a.weight": (2, 5, 3), "a.bias": (2, 5), "kernel": (2, 4, 2, 3, 3)}
    return [{n: torch.randn(*shape, generator=rng) for n, shape in shapes.items()} for _ in range(2)]


def test_every_term_is_that_of_the_formulas(tensors):
    params, grads = tensors
    values = norm_balls.measure(params, grads, set(norm_balls.BALLS) | {"grad_norm"}, "train")
    assert {group for _, group, _ in values} == {"layer_0", "layer_1"}  # biases are no matrices
    for number, (name, aspect) in enumerate((("a.weight", 5 / 3), ("kernel", 4 / 18))):
        for model in range(2):
            w, g = (x[name][model].double().flatten(1).numpy() for x in (params, grads))
            found = {metric: float(v[model]) for (_, group, metric), v in values.items() if group == f"layer_{number}"}
            assert found["weight_gradient"] == pytest.approx((w * g).sum())
            assert found["aspect"] == pytest.approx(aspect)
            for ball, (norm, dual) in by_hand(w, g).items():
                assert found[f"weight_norm_{ball}"] == pytest.approx(norm), ball
                assert found[f"grad_dual_{ball}"] == pytest.approx(dual), ball
                assert float(NORMS[ball].norm(torch.from_numpy(w))) == pytest.approx(norm), ball
                assert float(NORMS[ball].dual_norm(torch.from_numpy(g))) == pytest.approx(dual), ball


def test_only_what_is_asked_for(tensors):
    assert norm_balls.measure(*tensors, {"grad_norm"}, "train") == {}
    metrics = {metric for _, _, metric in norm_balls.measure(*tensors, {"ball_max"}, "train")}
    assert metrics == {"weight_norm_max", "grad_dual_max", "weight_gradient", "aspect"}


@pytest.mark.parametrize("ball", NORMS)
@pytest.mark.parametrize("broken", [False, True])
def test_the_residual_is_zero_at_kkt_points_and_the_frank_wolfe_gap_elsewhere(ball, broken):
    """``broken``: the condition without its factor lambda."""
    rng, decay = torch.Generator().manual_seed(1), 4.0
    grad, other = torch.randn(2, 1, 4, 6, generator=rng, dtype=torch.float64)
    vertex = -NORMS[ball].lmo(grad) / decay
    inside = project(NORMS[ball], decay * other) / decay

    def residual(weight):
        values = norm_balls.measure({"w": weight}, {"w": grad}, {f"ball_{ball}"}, "train")
        dual, inner = (values["train", "layer_0", m].numpy() for m in (f"grad_dual_{ball}", "weight_gradient"))
        return float(constraints.kkt_residual(dual, inner, 1.0 if broken else decay)[0])

    assert (residual(vertex) < 1e-12) != broken
    assert residual(torch.zeros_like(vertex)) == 1
    gap = decay * float((grad * (inside - vertex)).sum() / NORMS[ball].dual_norm(grad))
    assert (residual(inside) == pytest.approx(gap, rel=1e-9)) != broken
    assert gap > 0.1


def test_the_linear_problem_measures_its_weight():
    settings = {"mixture": MIXTURE, "metrics": ["ball_max"], "model": {"name": "linear", "init_std": 2.0}}
    zero = {"mixture": MIXTURE, "metrics": ["ball_max"]}
    task = made("population", [settings, zero, settings], [0, 0, 1])
    params = task.init()
    assert not params["weight"][1].any() and not torch.equal(params["weight"][0], params["weight"][2])
    assert 0.5 < params["weight"][[0, 2]].std() / 2.0 < 1.5
    _, grads, values = task.gradients(params, True)
    w, g = params["weight"][0].numpy(), grads["weight"][0].numpy()
    assert float(values["population", "layer_0", "weight_norm_max"][0]) == pytest.approx(np.abs(w).max())
    assert float(values["population", "layer_0", "weight_gradient"][0]) == pytest.approx((w * g).sum())
    assert task.gradients(params, False)[2] == {}


def test_a_network_measures_every_layer(tmp_path):
    from muon_imbalance.data.tables import gaussian_mixture

    config = {"classes": 3, "dimension": 6, "prior": [0.5, 0.3, 0.2], "mean_norm": 1.0, "means": "orthogonal"}
    config |= {"noise": 0.2, "train": 30, "test_per_class": 2, "repetitions": 1, "seed": 0}
    gaussian_mixture.build(config, {}, tmp_path / "data")
    dataset = {"name": "mixture", "builder": "gaussian_mixture", "config": config}
    settings = {"dataset": dataset, "model": {"name": "mlp", "hidden": [5]}, "evaluate": []}
    settings["metrics"] = ["ball_spectral"]
    task = made("stacked_classification", settings, [0], tmp_path / "data", "float32")
    params = task.init()
    _, grads, values = task.gradients(params, True)
    assert task.evaluate(params) == {}
    for number in range(2):
        w, g = (x[f"layers.{number}.weight"][0].numpy() for x in (params, grads))
        top = np.linalg.svd(w, compute_uv=False)[0]
        nuclear = np.linalg.svd(g, compute_uv=False).sum()
        assert float(values["train", f"layer_{number}", "weight_norm_spectral"]) == pytest.approx(top, rel=1e-5)
        assert float(values["train", f"layer_{number}", "grad_dual_spectral"]) == pytest.approx(nuclear, rel=1e-5)
