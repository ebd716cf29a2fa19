"""The checks bite: each mutant spoils one place of the package and must be caught by the check beside it."""

import pytest
import torch

from . import checks
from .package_copies import copied


def reference(name):
    def check(module):
        for hyper in checks.VARIANTS[name]:
            checks.check_reference(module("registry").build, name, hyper)

    return check


def on_build(check, name):
    return lambda module: check(module("registry").build, name)


def norms(module):
    checks.check_norms(module("norms"))


def exact_polar(module):
    checks.check_exact_polar(module("polar"))


def newton_schulz(module):
    checks.check_newton_schulz(module("polar"), shapes=((20, 200),))


def scalar_map(module):
    checks.check_scalar_map(module("polar"))


MUTANTS = {
    "Newton-Schulz coefficient, reference": ("polar.py", "-4.7750", "-4.7760", reference("muon")),
    "Newton-Schulz coefficient, scalar map": ("polar.py", "-4.7750", "-4.7760", scalar_map),
    "sign of a coefficient": ("polar.py", "-4.7750", "4.7750", newton_schulz),
    "Gram matrix never renewed": ("polar.py", "block = min(steps, 3)", "block = steps", newton_schulz),
    "Gram update without its second factor": (
        "polar.py", "gram = torch.baddbmm(half, poly, half, beta=a)", "gram = half", newton_schulz
    ),
    "cut-off too high": ("polar.py", "rtol**2 * values[..., -1:]", "1e-8", exact_polar),
    "input not brought to scale": (
        "polar.py", "flat / torch.where(largest > 0, largest, 1.0)", "flat", exact_polar
    ),
    "no cut-off": ("polar.py", "rtol**2 * values[..., -1:]", "0", exact_polar),
    "spectral lmo with Newton-Schulz": ("norms.py", "= polar.exact)", "= polar.newton_schulz)", norms),
    "lmo of the max norm": ("norms.py", "x.sign().add_", "(x.sign() * 0.99).add_", norms),
    "dual of the max norm": ("norms.py", "x.abs().sum((-2, -1))", "x.abs().mean((-2, -1))", norms),
    "zero gradient of the Frobenius lmo": (
        "norms.py", "x / size.masked_fill(size < torch.finfo(x.dtype).tiny, torch.inf).to(x.dtype)",
        "x / size.to(x.dtype)", norms,
    ),
    "factor 1 - beta dropped": (
        "steepest.py", "torch.lerp(slot(state, key), update, self.fresh(param))",
        "slot(state, key) * self.momentum(param) + update", reference("muon"),
    ),
    "Nesterov left out": (
        "steepest.py", "if self.nesterov else buffer", "if False else buffer", reference("nmd")
    ),
    "weight decay left out": (
        "steepest.py", "param if self.decay is None else", "param if True else", reference("specgd")
    ),
    "scale left out": ("steepest.py", "value=-self._factor(param)", "value=-1", reference("muon_exact")),
    "norm over the whole stack": (
        "norms.py", "torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True, dtype=torch.float64)",
        "torch.linalg.vector_norm(x, dtype=torch.float64)", on_build(checks.check_stack, "nmd"),
    ),
    "kernel not flattened": (
        "core.py", "x.reshape(*x.shape[:2], -1)", "x.flatten(0, -3) if x.ndim > 3 else x.unsqueeze(-1)",
        reference("ngd"),
    ),
    "bias correction of Adam": ("adam.py", "(1 - self.beta1.value**t)", "1", reference("adam")),
    "second moment of Adam": ("adam.py", "grad * grad", "grad.abs()", reference("adam")),
    "eps inside the root": (
        "adam.py", "square.sqrt().mul_(correction(param)).add_(self.eps(param))",
        "(square * correction(param) ** 2 + self.eps(param)).sqrt()", reference("adam"),
    ),
    "decoupled decay in Muon's Adam": (
        "muon.py", "weight_decay, decoupled=True", "weight_decay", reference("muon")
    ),
    "momentum of SGD averaged": (
        "sgd.py", "torch.addcmul(grad, slot(state, key), self.momentum(param))",
        "torch.lerp(grad, slot(state, key), self.momentum(param))", reference("sgd"),
    ),
    "first value for all models": (
        "hyper.py", "value.to(device, dtype)", "value[:1].repeat(models).to(device, dtype)",
        on_build(checks.check_stack, "gd"),
    ),
    "step in place": (
        "sgd.py", "torch.addcmul(param, update,", "param.addcmul_(update,", on_build(checks.check_pure, "gd")
    ),
    "momentum in place": (
        "steepest.py", "torch.lerp(slot(state, key), update,", "slot(state, key).lerp_(update,",
        on_build(checks.check_pure, "signum"),
    ),
    "no guard against zero": (
        "polar.py", "torch.where(largest > 0, largest, 1.0)", "largest",
        on_build(checks.check_zero_gradient, "specgd"),
    ),
}  # fmt: skip


@pytest.mark.parametrize(("file", "old", "new", "check"), MUTANTS.values(), ids=MUTANTS)
def test_mutant_is_caught(file, old, new, check, tmp_path, monkeypatch):
    with pytest.raises((AssertionError, torch.linalg.LinAlgError)):
        check(copied(tmp_path, monkeypatch, edits={file: [(old, new)]}))


def test_absolute_cut_off_is_caught(tmp_path, monkeypatch):
    """The trap of F9: with an absolute cut-off the first tiny gradients have no polar factor at all."""
    unscaled = ("flat / torch.where(largest > 0, largest, 1.0)", "flat")
    edits = {"polar.py": [("rtol**2 * values[..., -1:]", "1e-12"), unscaled]}
    with pytest.raises(AssertionError, match="scale 1e-12"):
        exact_polar(copied(tmp_path, monkeypatch, edits=edits))


@pytest.mark.parametrize("check", dict.fromkeys(mutant[3] for mutant in MUTANTS.values()))
def test_the_same_checks_pass_on_an_unspoilt_copy(check, tmp_path, monkeypatch):
    check(copied(tmp_path, monkeypatch))
