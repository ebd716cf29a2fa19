"""Our optimizers and the public ones as functions from parameters to a torch optimizer, with equal settings.

Where a public default differs from ours the setting is written out, so that rows compare one thing at a time.
"""

from collections.abc import Callable
from functools import partial
from types import ModuleType

import pytorch_optimizer
import torch
from torch.nn import Parameter
from torch.optim import Optimizer

from benchmarks.precision import half_precision_taken_out
from muon_imbalance.optimizers import torch_optim
from muon_imbalance.optimizers.adam import adam
from muon_imbalance.optimizers.base.hyperparameter_types import Decay, Momentum, Rate
from muon_imbalance.optimizers.base.hyperparameters import rule
from muon_imbalance.optimizers.geometry import norms, quintic_coefficients
from muon_imbalance.optimizers.geometry.newton_schulz import NewtonSchulz
from muon_imbalance.optimizers.sgd import sgd
from muon_imbalance.optimizers.steepest import Steepest

Make = Callable[[list[Parameter]], Optimizer]

MUON = {"lr": 0.02, "momentum": 0.95, "weight_decay": 0.01}
ADAM = {"lr": 1e-3, "betas": (0.9, 0.999), "eps": 1e-8}
SGD = {"lr": 0.1, "momentum": 0.9, "weight_decay": 0.01}
LION = {"lr": 1e-3, "betas": (0.9, 0.99), "weight_decay": 0.01}
SIGNUM = {"lr": 1e-3, "momentum": 0.9}
SHAMPOO = {"lr": 2.0**-7, "betas": (0.9, 0.999), "epsilon": 1e-8, "weight_decay": 0.01}
"""The rate is exact in float32, in which DistributedShampoo keeps it."""
BLOCK = 1024
REFRESH = 10


class Adam(torch_optim.StackedOptimizer, rule=adam):
    """Our Adam, which the sweeps use, on single models."""


class SGDMomentum(torch_optim.StackedOptimizer, rule=sgd):
    """Our SGD, which the sweeps use, on single models."""


class GramMuonInFloat32(pytorch_optimizer.Muon):
    """pytorch-optimizer's Muon with one dtype of its code changed, since float16 is slow on many CPUs."""

    def step(self, closure=None):
        with half_precision_taken_out(torch.float32):
            return super().step(closure)


def newton_schulz_muon(coefficients: tuple[quintic_coefficients.Quintic, ...]) -> type[Optimizer]:
    """Our Muon on matrices with these coefficients and nothing added to the norm, of which others take a bound."""

    @rule
    def matrices(*, lr: Rate = 0.02, momentum: Momentum = 0.95, weight_decay: Decay = 0.0):
        norm = norms.SpectralIterated(NewtonSchulz(coefficients=coefficients, eps=0.0), scale="original")
        return Steepest(norm, lr, momentum, weight_decay, nesterov=True)

    return type("NewtonSchulzMuon", (torch_optim.StackedOptimizer,), {}, rule=matrices)


THEIR_EXPRESS = tuple(pytorch_optimizer.optimizer.utils.matrix.NS_COEFFICIENTS["polar_express"])


def ours() -> dict[str, Make]:
    """Every variant of ours that takes part."""
    muon, shampoo, lion = torch_optim.Muon, torch_optim.Shampoo, torch_optim.LionK
    sums = {"lr": 1e-2, "betas": (0.0, 1.0), "epsilon": 1e-6}
    scalable = {"lr": 1e-2, "betas": (0.0, 0.999), "bias_correction": False}
    return {
        "Muon": partial(muon, **MUON),
        "Muon without decay": partial(muon, lr=MUON["lr"]),
        "Muon, scale of the kernel": partial(muon, **MUON, scale="kernel"),
        "Muon, nothing added to the norm": partial(newton_schulz_muon(quintic_coefficients.COEFFICIENTS), **MUON),
        "Muon, Polar Express": partial(muon, **MUON, polar="polar_express"),
        "Muon, their Polar Express": partial(newton_schulz_muon(THEIR_EXPRESS), **MUON),
        "Adam": partial(Adam, **ADAM),
        "AdamW": partial(Adam, **ADAM, weight_decay=0.1, decoupled_weight_decay=True),
        "SGD": partial(SGDMomentum, **SGD),
        "NMD": partial(torch_optim.NMD, lr=0.03),
        "Signum": partial(torch_optim.Signum, **SIGNUM),
        "Lion": partial(lion, **LION, K="l1"),
        "Shampoo": partial(shampoo, **SHAMPOO),
        "Shampoo, no bias correction": partial(shampoo, **SHAMPOO, bias_correction=False),
        "Shampoo, Adam's step size": partial(
            shampoo, **SHAMPOO, grafting="adam", grafting_beta2=0.999, grafting_epsilon=1e-10
        ),
        "Shampoo, refresh 10": partial(
            shampoo, **SHAMPOO, precondition_frequency=REFRESH, max_preconditioner_dim=BLOCK
        ),
        "Shampoo, refresh 10, late start": partial(
            shampoo, **SHAMPOO, precondition_frequency=REFRESH, start_preconditioning_step=REFRESH
        ),
        "Shampoo, sums": partial(shampoo, **sums, max_preconditioner_dim=10**6),
        "Shampoo, sums, no epsilon": partial(shampoo, **sums | {"epsilon": 0.0}),
        "Shampoo, uncorrected average": partial(shampoo, **scalable, epsilon=1e-6),
        "Shampoo, uncorrected average, small epsilon": partial(shampoo, **scalable, epsilon=1e-12),
    }


def public() -> dict[str, Make]:
    """What torch and pytorch-optimizer offer."""
    library = pytorch_optimizer
    scalable = {
        "lr": 1e-2, "betas": (0.0, 0.999), "nesterov": False, "start_preconditioning_step": 1, "block_size": BLOCK,
        "shape_interpretation": False, "graft_type": library.optimizer.utils.graft.LayerWiseGrafting.NONE,
    }  # fmt: skip
    once, rarely = {"preconditioning_compute_steps": 1}, {"preconditioning_compute_steps": REFRESH}
    return {
        "torch.optim.Muon": partial(torch.optim.Muon, **MUON),
        "torch.optim.Muon, its own decay": partial(torch.optim.Muon, lr=MUON["lr"]),
        "torch.optim.Adam": partial(torch.optim.Adam, **ADAM),
        "torch.optim.Adam, fused": partial(torch.optim.Adam, **ADAM, fused=True),
        "torch.optim.Adam, foreach": partial(torch.optim.Adam, **ADAM, foreach=True),
        "torch.optim.AdamW": partial(torch.optim.AdamW, **ADAM, weight_decay=0.1),
        "torch.optim.SGD": partial(torch.optim.SGD, **SGD),
        "torch.optim.SGD, fused": partial(torch.optim.SGD, **SGD, fused=True),
        "torch.optim.SGD, foreach": partial(torch.optim.SGD, lr=0.1, momentum=0.9, foreach=True),
        "torch.optim.Adagrad": partial(torch.optim.Adagrad, lr=1e-2, eps=0.0),
        "pytorch-optimizer Muon": partial(grouped, library.Muon, **MUON),
        "pytorch-optimizer Muon, Gram form": partial(
            grouped, library.Muon, **MUON, ns_method="gram_newton_schulz"
        ),
        "pytorch-optimizer Muon, Gram form in float32": partial(
            grouped, GramMuonInFloat32, **MUON, ns_method="gram_newton_schulz"
        ),
        "pytorch-optimizer Muon, Polar Express": partial(
            grouped, library.Muon, **MUON, ns_coeffs="polar_express"
        ),
        "pytorch-optimizer SignSGD": partial(library.SignSGD, **SIGNUM),
        "pytorch-optimizer Lion": partial(library.Lion, **LION),
        "pytorch-optimizer Shampoo": partial(library.Shampoo, lr=1e-2, matrix_eps=1e-6, **once),
        "pytorch-optimizer Shampoo, refresh 10": partial(library.Shampoo, lr=1e-2, matrix_eps=1e-6, **rarely),
        "pytorch-optimizer ScalableShampoo": partial(library.ScalableShampoo, **scalable, **once),
        "pytorch-optimizer ScalableShampoo, SVD": partial(
            library.ScalableShampoo, **scalable, **once, use_svd=True, matrix_eps=1e-12
        ),
        "pytorch-optimizer ScalableShampoo, refresh 10": partial(library.ScalableShampoo, **scalable, **rarely),
    }  # fmt: skip


def fetched(modules: dict[str, ModuleType | None]) -> dict[str, Make]:
    """What the references add, where they are available."""
    found: dict[str, Make] = {}
    if modules["muon"] is not None:
        found["Keller Jordan's Muon"] = partial(modules["muon"].SingleDeviceMuon, **MUON)
    meta = modules["distributed_shampoo"]
    if meta is not None:
        two_axes = {"distributed_config": meta.SingleDeviceDistributedConfig(target_parameter_dimensionality=2)}
        graft = {"grafting_config": meta.AdamPreconditionerConfig(beta2=0.999, epsilon=1e-10)}
        double = meta.RootInvShampooPreconditionerConfig(
            factor_matrix_dtype=torch.float64, inv_factor_matrix_dtype=torch.float64
        )
        first, tenth = {"start_preconditioning_step": 1}, {"start_preconditioning_step": REFRESH}
        shampoo = partial(meta.DistributedShampoo, **SHAMPOO, max_preconditioner_dim=BLOCK, **first)
        found |= {
            "DistributedShampoo": shampoo,
            "DistributedShampoo, matrices": partial(shampoo, **two_axes),
            "DistributedShampoo, float64 factors": partial(shampoo, **two_axes, preconditioner_config=double),
            "DistributedShampoo, no bias correction": partial(
                shampoo, **two_axes, preconditioner_config=double, use_bias_correction=False
            ),
            "DistributedShampoo, Adam's step size, float64 factors": partial(
                shampoo, **two_axes, **graft, preconditioner_config=double
            ),
            "DistributedShampoo, refresh 10": partial(shampoo, **two_axes, precondition_frequency=REFRESH, **tenth),
            "DistributedShampoo, refresh 10, float64 factors": partial(
                shampoo, **two_axes, **tenth, precondition_frequency=REFRESH, preconditioner_config=double
            ),
        }
    return found


def grouped(cls: type[Optimizer], params: list[Parameter], **hyper) -> Optimizer:
    """pytorch-optimizer's Muon wants to be told for each group that it is one of matrices."""
    return cls([{"params": params, "use_muon": True}], **hyper)
