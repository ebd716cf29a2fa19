"""torch.optim.Optimizer classes: same steps as the core, and everything a training loop expects of them."""

import copy
import importlib
import inspect
import pickle
import re
from pathlib import Path

import pytest
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.optimizers import torch_optim

from . import adapter_checks, checks
from .adapter_checks import CLASSES, equal, snapshot, weights

EACH = pytest.mark.parametrize("name", CLASSES)


def module(name):
    return importlib.import_module(f"muon_imbalance.optimizers.{'base.' if name == 'protocol' else ''}{name}")


@EACH
def test_steps_are_those_of_the_core(name):
    for hyper in checks.VARIANTS[CLASSES[name]]:
        adapter_checks.check_same_as_core(module, name, hyper)


@EACH
def test_maximize_steps_along_the_gradient(name):
    adapter_checks.check_same_as_core(module, name, {"lr": 0.1}, maximize=True)


@EACH
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_state_dict_round_trip(name, dtype, tmp_path):
    adapter_checks.check_round_trip(module, name, dtype)


@EACH
def test_state_dict_can_be_saved_without_pickled_code(name, tmp_path):
    params, draw_gradients = weights()
    optimizer = getattr(torch_optim, name)(params.values())
    draw_gradients()
    optimizer.step()
    torch.save(optimizer.state_dict(), tmp_path / "state.pt")
    loaded = torch.load(tmp_path / "state.pt", weights_only=True)
    assert loaded["param_groups"] == optimizer.state_dict()["param_groups"]


@EACH
def test_bfloat16_is_the_float32_step_rounded(name):
    adapter_checks.check_bfloat16(module, name)


@EACH
def test_sparse_and_complex_are_refused(name):
    adapter_checks.check_refusals(module, name)


@EACH
def test_a_parameter_without_gradient_waits(name):
    adapter_checks.check_late_gradients(module, name)


@EACH
def test_groups_keep_their_own_hyperparameters(name):
    """Two groups in one optimizer = two optimizers."""
    params, draw_gradients = weights()
    keys = list(params)
    others = {key: torch.nn.Parameter(value) for key, value in snapshot(params).items()}
    cls, second = getattr(torch_optim, name), {"lr": 0.3, "weight_decay": 0.2}
    half = [[group[key] for key in keys[i::2]] for group in (params, others) for i in (0, 1)]
    together = cls([{"params": half[0]}, {"params": half[1], **second}], lr=0.1)
    apart = [cls(half[2], lr=0.1), cls(half[3], **second)]
    for _ in range(3):
        draw_gradients()
        for key in keys:
            others[key].grad = params[key].grad
        for optimizer in (together, *apart):
            optimizer.step()
    equal(snapshot(params), snapshot(others), name)


@EACH
def test_closure_is_called_with_gradients_on(name):
    params, _ = weights()
    optimizer = getattr(torch_optim, name)(params.values(), lr=1e-3)

    def closure():
        optimizer.zero_grad()
        loss = sum((param**2).sum() for param in params.values())
        loss.backward()
        return loss

    losses = [optimizer.step(closure).item() for _ in range(5)]
    assert losses == sorted(losses, reverse=True)
    assert losses[0] > losses[-1]


@EACH
def test_learning_rate_schedules(name):
    params, draw_gradients = weights()
    optimizer = getattr(torch_optim, name)(params.values(), lr=0.1)
    schedules = torch.optim.lr_scheduler
    warmup = schedules.LinearLR(optimizer, start_factor=0.5, total_iters=2)
    schedule = schedules.SequentialLR(optimizer, [warmup, schedules.CosineAnnealingLR(optimizer, 3)], [2])
    rates = []
    for _ in range(5):
        draw_gradients()
        before = snapshot(params)
        optimizer.step()
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.step()
        if name in ("NGD", "NMD"):  # steps of unit Frobenius norm
            moved = torch.linalg.vector_norm(params["wide"].detach() - before["wide"])
            assert abs(moved - rates[-1]) < 1e-12
    assert rates == pytest.approx([0.05, 0.075, 0.1, 0.075, 0.025])


@pytest.mark.parametrize("name", ["NMD", "Muon"])
def test_schedules_of_the_momentum(name):
    """OneCycleLR writes `momentum` of the group."""
    params, draw_gradients = weights()
    optimizer = getattr(torch_optim, name)(params.values(), lr=0.1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.1, total_steps=6)
    seen = []
    for _ in range(5):
        draw_gradients()
        optimizer.step()
        schedule.step()
        seen.append(optimizer.param_groups[0]["momentum"])
    assert max(seen) - min(seen) > 0.05


def test_learning_rate_as_a_tensor_is_read_at_every_step():
    params, draw_gradients = weights()
    rate = torch.tensor(0.1, dtype=torch.float64)
    optimizer = torch_optim.NGD(params.values(), lr=rate)
    for value in (0.1, 0.2):
        rate.fill_(value)
        draw_gradients()
        before = params["wide"].detach().clone()
        optimizer.step()
        assert torch.linalg.vector_norm(params["wide"].detach() - before).item() == pytest.approx(value)


@EACH
def test_copies_and_pickles_go_on(name):
    params, draw_gradients = weights()
    optimizer = getattr(torch_optim, name)(params.values(), lr=0.01)
    draw_gradients()
    optimizer.step()
    for other in (copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))):
        for copied, param in zip(other.param_groups[0]["params"], params.values(), strict=True):
            copied.grad = param.grad.clone()
        other.step()


@pytest.mark.parametrize("name", ["LionK", "Signum", "SignGD"])
def test_large_tensors_in_portions_are_updated_as_in_the_core(name):
    hyper = {"lr": 0.1, "weight_decay": 0.1}
    adapter_checks.check_same_as_core(module, name, hyper, shapes=adapter_checks.LARGE)


def test_hyperparameters_may_be_tensors_that_change():
    adapter_checks.check_changed_tensors(module)


def test_kernels_are_flattened_and_may_be_channels_last():
    adapter_checks.check_kernels(module)


def test_a_group_without_muon_takes_adam():
    matrix, head = (torch.nn.Parameter(torch.randn(5, 4, dtype=torch.float64)) for _ in range(2))
    other = torch.nn.Parameter(head.detach().clone())
    adam = torch.optim.Adam([other], lr=0.02, betas=(0.95, 0.95), eps=1e-10)
    muon = torch_optim.Muon([{"params": [matrix]}, {"params": [head], "use_muon": False}], lr=0.02)
    for _ in range(4):
        matrix.grad, head.grad = torch.randn(5, 4).double(), torch.randn(5, 4).double()
        other.grad = head.grad.clone()
        muon.step()
        adam.step()
    checks.close(head.detach(), other.detach(), 1e-12, "the head")
    assert set(muon.state[matrix]) == {"momentum"}
    assert set(muon.state[head]) == {"step", "exp_avg", "exp_avg_sq"}


def test_named_parameters_and_later_groups():
    model = torch.nn.Sequential(torch.nn.Linear(3, 4), torch.nn.Linear(4, 2))
    optimizer = torch_optim.NMD(model[0].named_parameters(), lr=0.1)
    optimizer.add_param_group({"params": list(model[1].named_parameters()), "lr": 0.2})
    assert optimizer.param_groups[0]["param_names"] == ["weight", "bias"]
    assert [group["lr"] for group in optimizer.param_groups] == [0.1, 0.2]
    assert optimizer.param_groups[1]["momentum"] == 0.9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda p: torch_optim.Muon(p, lr=-1.0), "Muon: lr = -1.0, allowed: a finite number >= 0"),
        (lambda p: torch_optim.NGD(p, momentum=0.9), "NGD: unknown hyperparameter momentum = 0.9; allowed: lr, weight"),
        (lambda p: torch_optim.Signum([{"params": p, "momentum": 1.0}]), "Signum: momentum = 1.0, allowed: 0 <="),
    ],
)
def test_mistakes_are_told(make, message):
    with pytest.raises(UserError, match=re.escape(message)):
        make([torch.nn.Parameter(torch.zeros(2, 2))])


def test_a_refused_group_is_not_added():
    optimizer = torch_optim.NMD([torch.nn.Parameter(torch.zeros(2, 2))])
    with pytest.raises(UserError, match="momentum = 2"):
        optimizer.add_param_group({"params": [torch.nn.Parameter(torch.zeros(2))], "momentum": 2})
    assert len(optimizer.param_groups) == 1


@EACH
def test_signature_shows_the_hyperparameters(name):
    cls = getattr(torch_optim, name)
    assert list(inspect.signature(cls).parameters) == ["params", *cls.hyper, "maximize"]
    params, _ = weights()
    assert getattr(torch_optim, name)(params.values(), 0.25).param_groups[0]["lr"] == 0.25


def test_an_empty_parameter_is_left_alone():
    empty, full = torch.nn.Parameter(torch.zeros(0, 3)), torch.nn.Parameter(torch.ones(2, 3))
    empty.grad, full.grad = torch.zeros(0, 3), torch.ones(2, 3)
    torch_optim.Muon([empty, full]).step()
    assert not torch.equal(full, torch.ones(2, 3))


def examples():
    docs = Path(__file__).parents[2] / "docs/optimizers-elsewhere.md"
    lines = torch_optim.__doc__.splitlines()
    code = [line for line in lines if line.startswith("    ") or not line.strip()]
    return {
        "docstring": inspect.cleandoc("\n".join(code)),
        **{f"docs {i}": c for i, c in enumerate(re.findall(r"```python\n(.*?)```", docs.read_text(), re.S))},
    }


@pytest.mark.parametrize("name", examples())
def test_documented_example_trains(name):
    """The example as it is printed, on three Gaussian classes: it must learn them."""
    torch.manual_seed(0)
    means = 2 * torch.randn(3, 20)
    y = torch.randint(3, (600,))
    x = means[y] + torch.randn(600, 20)
    given = {"torch": torch, "batches": [(x[i : i + 60], y[i : i + 60]) for i in range(0, 540, 60)]}
    exec(examples()[name], given)
    assert (given["model"](x[540:]).argmax(1) == y[540:]).float().mean() > 0.9


def test_documented_example_is_short():
    assert len(examples()["docstring"].splitlines()) <= 10
