"""Properties of the maps and faults: bases, scales, ranks, dtypes, memory layouts, NaN, traps of others."""

import numpy as np
import pytest
import torch

from muon_imbalance import optimizers
from muon_imbalance.optimizers import torch_optim
from muon_imbalance.optimizers.geometry import norms, quintic_coefficients
from muon_imbalance.optimizers.geometry.newton_schulz import newton_schulz

from . import checks, property_checks

EACH = pytest.mark.parametrize("name", optimizers.names())
ROUNDED_SCALES = (1e-30, 1e-15, 1e-6, 1e6, 1e15, 1e30)


def ids(case):
    name, hyper = case
    return "-".join([name, *map(str, hyper.values())])


def test_shampoo_without_accumulation_is_spectral_descent():
    property_checks.check_shampoo_is_specgd(optimizers.build)


@pytest.mark.parametrize("case", property_checks.TURNABLE, ids=ids)
def test_turning_the_basis_turns_the_steps(case):
    property_checks.check_turning(optimizers.build, [case])


@pytest.mark.parametrize("case", property_checks.NOT_TURNABLE, ids=ids)
def test_entrywise_rules_depend_on_the_basis(case):
    assert property_checks.turning_error(optimizers.build, *case) > 0.01


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
@pytest.mark.parametrize(
    ("name", "hyper"),
    [("ngd", {}), ("signgd", {}), ("specgd", {}), ("nmd", {}), ("signum", {}), ("muon_exact", {"eps": 0.0})]
    + [("lion_k", {"K": K, "k": 2}) for K in ("l1", "nuclear", "frobenius", "ky_fan")],
)
def test_steps_do_not_depend_on_the_scale_of_the_gradients(name, hyper, dtype):
    """In float32 the momentum of gradients of 1e-30 and 1e30 is still exact; Adam's squares on vectors are not."""
    scales = ROUNDED_SCALES
    if name.startswith("muon") and dtype == torch.float32:
        scales = (1e-15, 1e-6, 1e6, 1e15)
    property_checks.check_scale(optimizers.build, name, hyper, scales, dtype)


def test_shampoo_without_epsilon_does_not_depend_on_the_scale():
    property_checks.check_scale(optimizers.build, "shampoo", {"epsilon": 0.0}, ROUNDED_SCALES, torch.float64)
    property_checks.check_scale(
        optimizers.build, "shampoo", {"epsilon": 0.0, "betas": (0, 0)}, (1e-15, 1e15), torch.float32
    )


@pytest.mark.parametrize("scale", ROUNDED_SCALES)
@pytest.mark.parametrize(
    "coefficients",
    [quintic_coefficients.COEFFICIENTS, quintic_coefficients.POLAR_EXPRESS],
    ids=["keller_jordan", "express"],
)
def test_newton_schulz_without_eps_does_not_depend_on_the_scale(coefficients, scale):
    x = torch.randn(2, 8, 30)
    expected = newton_schulz(x, 5, coefficients, eps=0.0)
    checks.close(newton_schulz(scale * x, 5, coefficients, eps=0.0), expected, 1e-4, f"scale {scale}")
    assert torch.equal(newton_schulz(0 * x, 5, coefficients, eps=0.0), torch.zeros_like(x))


@EACH
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e-8, 1.0, 1e8])
def test_thin_and_rank_deficient_gradients_stay_finite(name, dtype, scale):
    shapes = {"row": (1, 7), "column": (7, 1), "one": (1, 1), "rank 1": (6, 9), "vector": (5,), "single": (1,)}
    params, grads = checks.draw(models=2, steps=3, dtype=dtype, shapes=shapes)
    for grad in grads:
        grad["rank 1"] = grad["rank 1"][..., :1] @ grad["rank 1"][:, :1]
        for key in grad:
            grad[key] = scale * grad[key]
    history, state = checks.run(optimizers.build(name), params, grads)
    for key, value in history[-1].items():
        assert value.dtype == dtype
        assert value.isfinite().all(), f"{name} {key}"
    assert all(value.isfinite().all() for value in state.values())


@EACH
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_bad_gradient_shows_in_its_own_model_and_parameter_only(name, bad):
    params, grads = checks.draw(steps=2)
    expected, _ = checks.run(optimizers.build(name), params, grads)
    grads[1]["tall"][1, 2, 3] = bad
    history, _ = checks.run(optimizers.build(name), params, grads)
    bounded = name in ("signgd", "signum", "lion_k") and bad == np.inf  # the sign of an infinity is one
    assert bounded or not history[-1]["tall"][1].isfinite().all()
    for key in params:
        good = [0, 2] if key == "tall" else [0, 1, 2]
        checks.close(history[-1][key][good], expected[-1][key][good], 1e-12, f"{name} {key}")


@EACH
def test_memory_layout_does_not_matter(name):
    params, grads = checks.draw(steps=3)
    turned = [{k: v.transpose(0, -1).contiguous().transpose(0, -1) for k, v in t.items()} for t in (params, *grads)]
    assert not turned[0]["wide"].is_contiguous()
    expected, _ = checks.run(optimizers.build(name), params, grads)
    history, _ = checks.run(optimizers.build(name), turned[0], turned[1:])
    for key in params:
        checks.close(history[-1][key], expected[-1][key], 1e-11, f"{name} {key}")


@pytest.mark.parametrize(
    ("hyper", "norm", "c"),
    [
        ({"K": "l1"}, norms.Max(), 1),
        ({"K": "frobenius"}, norms.Frobenius(), 1),
        ({"K": "nuclear"}, norms.Spectral(), 1),
        ({"K": "nuclear", "polar": "newton_schulz"}, norms.Spectral(), 1.21),
        ({"K": "nuclear", "polar": "polar_express"}, norms.Spectral(), 1.13),
        ({"K": "ky_fan", "k": 2}, norms.KyFan(2), 1),
    ],
)
def test_lion_k_stays_in_its_ball(hyper, norm, c):
    property_checks.check_bound(optimizers.build, hyper, norm, c)


def test_lion_k_solves_the_constrained_problem():
    """min |W A - B|^2 / 2 with ||W||_2 <= 1 / decay: all singular values at the bound, KKT residual near 0."""
    rng = np.random.default_rng(0)
    a, b = torch.from_numpy(rng.normal(size=(12, 40))), torch.from_numpy(5 * rng.normal(size=(7, 40)))
    params, weight_decay = {"w": torch.zeros(1, 7, 12, dtype=torch.float64)}, 20.0
    state = optimizers.build("lion_k").init(params)
    for t in range(600):
        grads = {"w": (params["w"] @ a - b) @ a.mT}
        rule = optimizers.build("lion_k", K="nuclear", lr=0.02 / (1 + t / 20), weight_decay=weight_decay, betas=(0, 0))
        params, state = rule.step(params, grads, state)
    grad, w = ((params["w"] @ a - b) @ a.mT)[0], params["w"][0]
    values = torch.linalg.svdvals(w)
    residual = torch.linalg.matrix_norm(grad, "nuc") + weight_decay * (w * grad).sum()
    assert 0 <= residual / torch.linalg.matrix_norm(grad, "nuc") < 1e-2
    checks.close(values, np.full(7, 1 / weight_decay), 1e-2, "singular values")


@pytest.mark.parametrize("nesterov", [True, False])
def test_lion_k_with_the_nuclear_norm_is_muon(nesterov):
    """betas (b^2, b) with Nesterov momentum, (b, b) without."""
    params, grads = checks.draw(shapes={"wide": (5, 13), "tall": (11, 4)})
    hyper = {"lr": 0.1, "weight_decay": 0.2}
    betas = (0.81 if nesterov else 0.9, 0.9)
    muon = optimizers.build("muon_exact", momentum=0.9, nesterov=nesterov, scale="none", **hyper)
    lion = optimizers.build("lion_k", K="nuclear", betas=betas, **hyper)
    for got, expected in zip(checks.run(lion, params, grads)[0], checks.run(muon, params, grads)[0], strict=True):
        for key in params:
            checks.close(got[key], expected[key], 1e-10, key)


def test_lion_k_with_the_frobenius_norm_is_nmd_and_with_l1_signum():
    params, grads = checks.draw()
    for K, name in (("frobenius", "nmd"), ("l1", "signum")):
        lion = optimizers.build("lion_k", K=K, lr=0.1, betas=(0.9, 0.9))
        other = optimizers.build(name, lr=0.1, momentum=0.9)
        expected = checks.run(other, params, grads)[0][-1]
        for key, value in checks.run(lion, params, grads)[0][-1].items():
            checks.close(value, expected[key], 1e-12, f"{K} {key}")


def parameter(*shape, dtype=torch.float32):
    param = torch.nn.Parameter(torch.randn(shape).to(dtype))
    param.grad = torch.randn(shape).to(dtype)
    return param


class TestTrapsOfOtherImplementations:
    def test_muon_keeps_float32_accuracy(self):
        """torch.optim.Muon and Keller Jordan's code iterate in bfloat16, 1e-2 from the definition."""
        single = parameter(24, 40)
        double = torch.nn.Parameter(single.detach().double())
        double.grad, start = single.grad.double(), single.detach().clone()
        for param in (single, double):
            torch_optim.Muon([param], lr=1.0).step()
        checks.close(single.detach() - start, double.detach() - start.double(), 1e-5, "the update in float32")

    def test_muon_takes_every_shape(self):
        """torch.optim.Muon refuses all but two axes."""
        params = [parameter(*shape) for shape in [(), (3,), (4, 5), (2, 3, 4), (4, 3, 2, 2), (2, 2, 2, 2, 2)]]
        before = [param.detach().clone() for param in params]
        torch_optim.Muon(params).step()
        assert not any(torch.equal(param, old) for param, old in zip(params, before, strict=True))

    @pytest.mark.parametrize("name", ["Muon", "NMD", "Signum", "SpecGD", "NGD", "SignGD", "Shampoo", "LionK"])
    def test_no_weight_decay_by_default(self, name):
        """torch.optim.Muon decays by 0.1; a zero gradient then moves the weights."""
        param = parameter(4, 5)
        param.grad.zero_()
        before = param.detach().clone()
        getattr(torch_optim, name)([param]).step()
        assert torch.equal(param, before)

    @pytest.mark.parametrize("nesterov", [True, False])
    def test_momentum_buffer_is_not_normalised(self, nesterov):
        """torch.optim.Muon divides its bfloat16 buffer in place by its norm when nesterov=False."""
        param = parameter(16, 16, dtype=torch.bfloat16)
        optimizer = torch_optim.Muon([param], momentum=0.5, nesterov=nesterov)
        optimizer.step()
        expected = 0.5 * param.grad.float()
        assert torch.equal(optimizer.state[param]["momentum"][0], expected)

    @pytest.mark.parametrize("name", ["Muon", "NMD", "Signum", "SpecGD", "NGD", "SignGD", "Shampoo", "LionK"])
    def test_gradient_is_left_alone(self, name):
        """Keller Jordan's code writes the Nesterov update into p.grad."""
        param = parameter(6, 4, 3, 3)
        before = param.grad.clone()
        optimizer = getattr(torch_optim, name)([param])
        for _ in range(2):
            optimizer.step()
        assert torch.equal(param.grad, before)

    def test_scale_of_kernels_comes_from_the_flattened_matrix(self):
        """Keller Jordan's code takes it from kernel height and width; that is the option scale="kernel"."""
        start, grad = torch.zeros(64, 2, 3, 3), torch.randn(64, 2, 3, 3)
        moved = {}
        for scale in ("original", "kernel", "none"):
            param = torch.nn.Parameter(start.clone())
            param.grad = grad.clone()
            torch_optim.Muon([param], lr=1.0, scale=scale).step()
            moved[scale] = param.detach()
        checks.close(moved["original"], moved["none"] * (64 / 18) ** 0.5, 1e-5, "flattened")
        assert torch.equal(moved["kernel"], moved["none"])

    def test_tiny_matrices_are_not_left_out(self):
        """An absolute cut-off or eps would freeze layers with tiny gradients (deep nets with small init)."""
        for name in ("SpecGD", "NGD", "NMD", "SignGD"):
            param = parameter(5, 6)
            param.grad *= 1e-30
            before = param.detach().clone()
            getattr(torch_optim, name)([param], lr=0.1).step()
            assert (param.detach() - before).abs().max() > 1e-3, name
