"""The checks bite: each mutant spoils one place of the package and must be caught by the check beside it."""

import pytest
import torch

from . import adapter_checks, checks, norm_checks, polar_checks, property_checks, spectra_checks
from .package_copies import copied
from .plain_products import InTurn


def reference(name):
    def check(module):
        for hyper in checks.VARIANTS[name]:
            checks.check_reference(module("registry").build, name, hyper)

    return check


def on_build(check, name):
    return lambda module: check(module("registry").build, name)


def norms(module):
    norm_checks.check_norms(module("norms"))


def exact_polar(module):
    polar_checks.check_exact_polar(module("polar"))


def newton_schulz(module):
    polar_checks.check_newton_schulz(module("newton_schulz"), shapes=((20, 200), (48, 480)))


def newton_schulz_of_squares(module):
    with InTurn():  # a library may do well with a product put into one of its factors
        polar_checks.check_newton_schulz(module("newton_schulz"), shapes=((48, 64), (32, 32)))


def tiny(module):
    polar_checks.check_tiny(module("newton_schulz"))


def precise_gram(module):
    polar_checks.check_precise_gram(module("newton_schulz"))


def parts_of_gram(module):
    polar_checks.check_parts_of_gram(module("gram"))


def gram_of_short_side(module):
    polar_checks.check_gram_of_short_side(module("gram"))


def nan_signs(module):
    checks.check_nan_signs(module("norms"))


def scalar_map(module):
    polar_checks.check_scalar_map(module("newton_schulz"))


def polar_express(module):
    polar_checks.check_polar_express(module("newton_schulz"), module("quintic_coefficients"))


def shampoo_is_specgd(module):
    property_checks.check_shampoo_is_specgd(module("registry").build)


def turning(module):
    property_checks.check_turning(module("registry").build)


def grouped(module):
    checks.check_grouping(module("registry").build, ("muon",))


def low_rank(module):
    spectra_checks.check_lengths(module("registry").build)


def named_layers(module):
    spectra_checks.check_named_layers(module("registry").build)


def bound(module):
    for K, norm in (("nuclear", "Spectral"), ("l1", "Max"), ("frobenius", "Frobenius")):
        property_checks.check_bound(module("registry").build, {"K": K}, getattr(module("norms"), norm)())


def adapter(check, name, *rest):
    return lambda module: check(module, name, *rest)


HYPER = {"lr": 0.1, "weight_decay": 0.1}
SAME_NMD = adapter(adapter_checks.check_same_as_core, "NMD", HYPER)
SAME_MUON = adapter(adapter_checks.check_same_as_core, "Muon", HYPER)
SAME_UPWARDS = adapter(adapter_checks.check_same_as_core, "Signum", HYPER, True)
MUON_UPWARDS = adapter(adapter_checks.check_same_as_core, "Muon", HYPER, True)
LION_LISTS = adapter(adapter_checks.check_same_as_core, "LionK", HYPER, False, adapter_checks.LARGE)
NESTEROV = adapter(adapter_checks.check_same_as_core, "Signum", HYPER | {"nesterov": True})
SAVED = adapter(adapter_checks.check_round_trip, "Muon", torch.bfloat16)
LATE = adapter(adapter_checks.check_late_gradients, "Muon")
ROUNDED = adapter(adapter_checks.check_bfloat16, "NMD")
CHANGED = adapter_checks.check_changed_tensors
REFUSED = adapter(adapter_checks.check_refusals, "Muon")
SHAMPOO, LION, MUON = (reference(name) for name in ("shampoo", "lion_k", "muon"))

MUTANTS = {
    "Newton-Schulz coefficient, reference": ("quintic_coefficients.py", "-4.7750", "-4.7760", reference("muon")),
    "Newton-Schulz coefficient, scalar map": ("quintic_coefficients.py", "-4.7750", "-4.7760", scalar_map),
    "sign of a coefficient": ("quintic_coefficients.py", "-4.7750", "4.7750", newton_schulz),
    "Gram matrix never renewed": ("gram_steps.py", "growth: float = 20000.0", "growth: float = 1e99", newton_schulz),
    "Gram update without its second factor": (
        "gram_steps.py", "torch.bmm(half, poly, out=gram)", "gram.copy_(half)", newton_schulz
    ),
    "Gram matrix of a short side in float32": (
        "gram.py", "if elongated and short <= 32:", "if False:", gram_of_short_side
    ),
    "Gram matrix in one part": ("gram.py", "max(2, -(-rows.shape[-1] // 384))", "1", parts_of_gram),
    "Gram matrix in two parts": ("gram.py", "max(2, -(-rows.shape[-1] // 384))", "2", parts_of_gram),
    "half of each product": (
        "gram_steps.py",
        "torch.bmm(total, poly, out=half)",
        "half.copy_((lambda product: product.triu() + product.triu(1).mT)(torch.bmm(total, poly)))",
        precise_gram,
    ),
    "a factor for each matrix left out": ("gram_steps.py", "poly.mul_(factor)", "pass", newton_schulz_of_squares),
    "steps of squares in one place": (
        "gram_steps.py", "spares[(step - 1) % 2]", "spares[0]", newton_schulz_of_squares
    ),
    "squares of tiny matrices": ("gram_steps.py", "else 1e-20", "else 1e-99", tiny),
    "NaN among signs": ("norms.py", "xs[0].clamp(-tiny, tiny)", "xs[0].sign() * tiny", nan_signs),
    "NaN among signs of several": (
        "norms.py", "torch._foreach_clamp_min(xs, -tiny)", "[x.sign() * tiny for x in xs]", nan_signs
    ),
    "signs at a large rate": ("norms.py", "if rate >= 2:", "if False:", nan_signs),
    "cut-off too high": ("polar.py", "rtol**2 * values[..., -1:]", "1e-8", exact_polar),
    "cut-off of one matrix": ("polar.py", "rtol**2 * values[-1]", "0", exact_polar),
    "rank of one matrix": ("polar.py", "len(values) - rank", "rank", norms),
    "no range of one matrix": ("polar.py", "1e-200 < values[-1] < 1e200", "True", exact_polar),
    "batch not brought to scale": (
        "polar.py", "x / torch.where(size > 0, size, 1.0)", "x", exact_polar
    ),
    "no cut-off": ("polar.py", "rtol**2 * values[..., -1:]", "0", exact_polar),
    "spectral lmo of the larger half": ("norms.py", "= polar.exact,", "= lambda x: polar.exact(x, 0.5),", norms),
    "lmo of the max norm": ("norms.py", "mul_(1 / tiny)", "mul_(0.99 / tiny)", norms),
    "dual of the max norm": ("norms.py", "x.abs().sum((-2, -1))", "x.abs().mean((-2, -1))", norms),
    "zero gradient of the Frobenius lmo": (
        "norms.py", "x / size.masked_fill(size < torch.finfo(x.dtype).tiny, torch.inf).to(x.dtype)",
        "x / size.to(x.dtype)", norms,
    ),
    "rate of the Frobenius norm": (
        "norms.py", "size.clamp(min=bounds.tiny)).clamp(max=bounds.max)", "size)",
        on_build(checks.check_zero_gradient, "nmd"),
    ),
    "factor 1 - beta dropped": (
        "steepest.py", "torch.lerp(slot(state, key), grad, self.fresh(grad))",
        "slot(state, key) * self.momentum(grad) + grad", reference("muon"),
    ),
    "Nesterov left out": (
        "steepest.py", "if self.nesterov else buffer", "if False else buffer", reference("nmd")
    ),
    "weight decay left out": (
        "norms.py", "torch.addcmul(kept, x,", "torch.addcmul(param, x,", reference("specgd")
    ),
    "weight decay of what is added left out": (
        "norms.py", "scales, sources, targets, kept)", "scales, sources, targets)", reference("muon")
    ),
    "scale left out": ("norms.py", "decay, -self.length(param)", "decay, -1.0", reference("muon_exact")),
    "weight decay of each model left out": (
        "norms.py", "[torch.mul(param, decay(param), out=out) for", "[param for", on_build(checks.check_stack, "muon")
    ),
    "scale of what is added left out": (
        "norms.py", "-self.length(param) for param in params", "-1.0 for param in params", reference("muon")
    ),
    "added to kernels in another order": (
        "protocol.py", "out.copy_(target.reshape(out.shape))", "pass", adapter_checks.check_kernels
    ),
    "norm over the whole stack": (
        "norms.py", "torch.linalg.vector_norm(x, dim=(-2, -1), keepdim=True, **sum_in)",
        "torch.linalg.vector_norm(x, **sum_in).reshape(1, 1, 1)", on_build(checks.check_stack, "nmd"),
    ),
    "kernel not flattened": (
        "protocol.py", "x.reshape(*x.shape[:2], -1)", "x.flatten(0, -3) if x.ndim > 3 else x.unsqueeze(-1)",
        reference("ngd"),
    ),
    "bias correction of Adam": ("adam.py", "(1 - self.beta1**t)", "1", reference("adam")),
    "second moment of Adam": ("adam.py", "grad * grad", "grad.abs()", reference("adam")),
    "eps inside the root": (
        "adam.py", "square.sqrt().mul_(correction(param)).add_(self.eps(param))",
        "(square * correction(param) ** 2 + self.eps(param)).sqrt()", reference("adam"),
    ),
    "decoupled decay in Muon's Adam": (
        "muon.py", "weight_decay, decoupled=True", "weight_decay", reference("muon")
    ),
    "momentum of SGD averaged": (
        "sgd.py", "torch.addcmul(grad, old, self.momentum(param), out=new)",
        "torch.lerp(grad, old, self.momentum(param), out=new)", reference("sgd"),
    ),
    "first value for all models": (
        "hyperparameters.py", "value.to(device, dtype)", "value[:1].repeat(models).to(device, dtype)",
        on_build(checks.check_stack, "gd"),
    ),
    "step in place": (
        "sgd.py", "self._moved(param, grads[name])", "self._moved(param, grads[name], None, param)",
        on_build(checks.check_pure, "gd"),
    ),
    "momentum in place": (
        "steepest.py", "torch.lerp(slot(state, key), grad, self.fresh(grad))",
        "slot(state, key).lerp_(grad, self.fresh(grad))", on_build(checks.check_pure, "signum"),
    ),
    "no guard against zero": (
        "polar.py", "x / torch.where(size > 0, size, 1.0)", "x / size",
        on_build(checks.check_zero_gradient, "specgd"),
    ),
    "Polar Express without its margin": (
        "quintic_coefficients.py", "_shrunk(_EXPRESS[0], 1.01**2)", "_EXPRESS[0]", polar_express
    ),
    "a constant of Polar Express": (
        "quintic_coefficients.py", "-2.9478499167379106", "-2.9478599167379106", polar_express
    ),
    "quintics in reverse": ("newton_schulz.py", "chain(coefficients,", "chain(coefficients[::-1],", MUON),
    "always the first quintic": (
        "newton_schulz.py", "repeat(coefficients[-1])", "repeat(coefficients[0])", polar_express
    ),
    "one singular value too many": ("norms.py", "exact, rank=k)", "exact, rank=k + 1)", norms),
    "Ky Fan without the sum": ("norms.py", "s.sum(-1) / self.k", "s.sum(-1) / 99", norms),
    "dual of Ky Fan": ("norms.py", "[..., : self.k].sum(-1)", "[..., : self.k + 1].sum(-1)", norms),
    "power of Shampoo": ("shampoo.py", "power = -0.25", "power = -0.5", SHAMPOO),
    "power of Shampoo on vectors": ("shampoo.py", "else -0.5", "else -0.25", SHAMPOO),
    "power, reduction to SpecGD": ("shampoo.py", "power = -0.25", "power = -0.24", shampoo_is_specgd),
    "absolute cut-off in Shampoo": ("shampoo.py", "cut * values[..., -1:]", "1e-12", shampoo_is_specgd),
    "no cut-off in Shampoo": (
        "shampoo.py", "(epsilon > 0) | (values > cut * values[..., -1:])", "values > -1", shampoo_is_specgd
    ),
    "no epsilon": ("shampoo.py", "clamp(max=0) + epsilon", "clamp(max=0)", SHAMPOO),
    "accumulators corrected never": (
        "shampoo.py", "(beta.value < 1) & self.bias_correction", "beta.value < 0", SHAMPOO
    ),
    "accumulators corrected always": (
        "shampoo.py", "(beta.value < 1) & self.bias_correction", "beta.value < 1", SHAMPOO
    ),
    "sum not a sum": (
        "shampoo.py", "torch.where(beta.value < 1, 1 - beta.value, 1.0)", "(1 - beta.value).clamp(min=0.1)", SHAMPOO
    ),
    "powers one step late": ("shampoo.py", "t % self.frequency == 0", "(t - 1) % self.frequency == 0", SHAMPOO),
    "accumulators of one beta2 for all": (
        "shampoo.py", "old * beta2(old), torch.bmm", "old * 0.5, torch.bmm",
        on_build(checks.check_stack, "shampoo"),
    ),
    "start ignored": (
        "shampoo.py", "graft.clone() if t < self.start", "torch.zeros_like(graft) if t < self.start", SHAMPOO
    ),
    "graft of the whole matrix": ("shampoo.py", "_rescaled(block, graft[place])", "_rescaled(block, graft)", SHAMPOO),
    "graft left out": ("shampoo.py", 'block if self.grafting == "none"', "block if True", SHAMPOO),
    "graft left out of what is one block": (
        "shampoo.py", 't >= self.start and self.grafting == "none" and', "t >= self.start and", SHAMPOO
    ),
    "decay of what Shampoo adds": (
        "shampoo.py", "beta=kept, alpha=-1", "beta=1, alpha=-1", on_build(checks.check_stack, "shampoo")
    ),
    "bias correction of what Shampoo adds": ("shampoo.py", "self.lr(mean) * unbias(mean)", "self.lr(mean)", SHAMPOO),
    "second moment of the graft": ("shampoo.py", "grad * grad", "grad.abs()", SHAMPOO),
    "right accumulator of the wrong gradient": (
        "shampoo.py", 'yield "right", block.mT, block', 'yield "right", block.mT, block.sign()', turning,
    ),
    "blocks of one column range": (
        "shampoo.py", "slice(column, column + self.size)", "slice(column, column + self.size - 1)", SHAMPOO
    ),
    "decay of Shampoo": ("shampoo.py", "param if self.decay is None else", "param if True else", SHAMPOO),
    "betas of Lion exchanged": ("lion_k.py", "grad, self.fresh1(grad)", "grad, self.fresh2(grad)", LION),
    "momentum of Lion from its update": (
        "lion_k.py", "torch.lerp(momentum, grad, self.fresh2",
        "torch.lerp(torch.lerp(momentum, grad, self.fresh1(grad)), grad, self.fresh2", LION,
    ),
    "decay of Lion": ("lion_k.py", "lr, beta2, weight_decay)", "lr, beta2, weight_decay * 0)", bound),
    "Lion with the wrong ball": (
        "lion_k.py", '"nuclear": Spectral(polar_factor(polar, ns_steps))', '"nuclear": Max()', bound
    ),
    "Max norm in place of the spectral": (
        "norms.py", "self.factor([as_matrix(x) for x in xs])", "[as_matrix(x).sign() for x in xs]", turning
    ),
    "length of another spectrum": (
        "spectra.py", "wanted * _length(kept)", "wanted", reference("spectral_power")
    ),
    "power of another spectrum": ("spectral_power.py", "sizes ** power(sizes)", "sizes", reference("spectral_power")),
    "rank of another spectrum": ("spectra.py", "RTOL**2 * values[..., -1:]", "1e-30 * values[..., -1:]", low_rank),
    "one draw for all steps": (
        "random_spectrum.py", "self._at(int(count))", "self._at(1)", reference("random_spectrum")
    ),
    "rows at their own lengths": (
        "spectra.py", "whole / torch.where(lengths > 0, lengths, 1.0)", "whole", reference("row_normalised")
    ),
    "length of equal rows": ("spectra.py", " / count.double().sqrt()", "", reference("row_normalised")),
    "Muon on the other layers": ("muon_on.py", "if self.on.search(name)", "if not self.on.search(name)", named_layers),
    "groups in the wrong order": (
        "gram.py", "zip(xs, _places(together, xs)", "zip(xs, _places(together, xs)[::-1]", grouped
    ),
    "matrices of one shape in the wrong order": (
        "gram_steps.py", "zip(same, zip(square", "zip(same[::-1], zip(square", grouped
    ),
    "maximize ignored": ("torch_optim.py", "grads = torch._foreach_neg(grads)", "pass", SAME_UPWARDS),
    "decay of lists": (
        "norms.py", "torch._foreach_mul_(params, decay.number())\n        sizes", "sizes", SAME_NMD
    ),
    "momentum of lists": ("steepest.py", "grads, self.fresh.number()", "grads, self.momentum.number()", SAME_NMD),
    "Nesterov of lists": ("steepest.py", "grads, momentum, self.momentum.number()", "grads, momentum, 0.1", NESTEROV),
    "betas of Lion's lists": ("lion_k.py", "grads, self.fresh1.number()", "grads, 0.5", LION_LISTS),
    "momentum of Lion's lists": ("lion_k.py", "grads, self.fresh2.number()", "grads, 0.5", LION_LISTS),
    "decay of Lion's lists": (
        "norms.py", "torch._foreach_mul_(params, decay.number())\n        rate", "rate", LION_LISTS
    ),
    "small tensors left out": ("batched.py", "    if few:", "    if False:", LION_LISTS),
    "a part left out": ("batched.py", "tensor.view(-1).chunk(count)", "tensor.view(-1).chunk(count)[1:]", LION_LISTS),
    "rule of another learning rate": ("torch_optim.py", "_built(self.rule, **hyper)", "_built(self.rule)", SAME_NMD),
    "group ignored": (
        "torch_optim.py", "group[key] for key in self.hyper", "self.hyper[key] for key in self.hyper", SAME_NMD
    ),
    "rule of former betas": (
        "torch_optim.py", "return value if isinstance(value, tuple) else (value,)", "return (value,)", CHANGED
    ),
    "state not kept": (
        "torch_optim.py", "value if stacked", "value.clone() if stacked", SAME_MUON
    ),
    "count not kept": ("torch_optim.py", 'state["step"] = state["step"] + 1', "pass", SAME_MUON),
    "scalar of the wrong shape": ("torch_optim.py", "tensor.view(1, 1)", "tensor.view(1, 1, 1)", SAME_MUON),
    "one count for all": (
        "torch_optim.py", 'int(state["step"]) if "step" in state else None', '"step" in state', LATE
    ),
    "state rounded on loading": ("torch_optim.py", 'if slot != "step":', "if False:", SAVED),
    "half precision all through": ("torch_optim.py", "tensors[0].dtype in HALF", "False", ROUNDED),
    "refused too late": ("torch_optim.py", 'self._refuse(param.grad, "gradients")', "pass", REFUSED),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(("file", "old", "new", "check"), MUTANTS.values(), ids=MUTANTS)
def test_mutant_is_caught(file, old, new, check, tmp_path, monkeypatch):
    with pytest.raises((AssertionError, RuntimeError)):
        check(copied(tmp_path, monkeypatch, edits={file: [(old, new)]}))


def test_absolute_cut_off_is_caught(tmp_path, monkeypatch):
    """The trap of F9: with an absolute cut-off the first tiny gradients have no polar factor at all."""
    unscaled = ("x / torch.where(size > 0, size, 1.0)", "x")
    cuts = [("rtol**2 * values[..., -1:]", "1e-12"), ("rtol**2 * values[-1]", "1e-12")]
    edits = {"polar.py": [*cuts, unscaled]}
    with pytest.raises(AssertionError, match="scale 1e-12"):
        exact_polar(copied(tmp_path, monkeypatch, edits=edits))


@pytest.mark.slow
@pytest.mark.parametrize("check", dict.fromkeys(mutant[3] for mutant in MUTANTS.values()))
def test_the_same_checks_pass_on_an_unspoilt_copy(check, tmp_path, monkeypatch):
    check(copied(tmp_path, monkeypatch))
