"""Population least squares on the Gaussian mixture: the matrix iteration of Sec. 3.2 with exact moments.

``L(W) = 1/2 E ||y - W x||^2`` has gradient ``W Sigma_xx - Sigma_yx``; bases are random and orthogonal.
"""

from collections.abc import Hashable
from typing import Literal

import torch
from torch import Tensor

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.training.engine import expand
from muon_imbalance.training.metrics.norm_balls import measure as measure_balls
from muon_imbalance.training.options import Ball, Mixture, Needs, Start
from muon_imbalance.training.randomness import generator
from muon_imbalance.training.registry import Chosen
from muon_imbalance.training.task import Key, Task, Tensors

NEEDS = Needs(classes=False)
EACH = {"mixture", "model", "off_diagonal"}
"""Options that each model of a stack has of its own."""


class Options(Settings):
    """Population least squares on the Gaussian mixture."""

    mixture: Mixture = Field(description="parameters of the mixture")
    labels: Literal["rotated", "one_hot"] = Field(
        "rotated", description="basis of the labels: random, or the identity as in (DM) (for rules on single entries)"
    )
    model: Start = Field(Start(), description="where the matrix starts")
    metrics: list[Literal["deviation"] | Ball] = Field([], description="measured beside losses and components")


def random_rotation(size: int, rng: torch.Generator) -> Tensor:
    """Haar-distributed orthogonal matrix ``[size, size]`` (QR of a Gaussian, signs fixed)."""
    q, r = torch.linalg.qr(torch.randn(size, size, generator=rng, dtype=torch.float64))
    return q * torch.sign(torch.diagonal(r))


class Population(Task):
    """``W [S, k, d]``, random bases ``U, V`` per repetition; what is measured is ``W_bar = U^T W V``.

    Models of equal ``k`` and ``d`` share a stack, each with a mixture of its own. The metric ``deviation`` is the share
    of ``W_bar`` off its diagonal, ``||W_bar - diag W_bar||_F / ||W_bar||_F`` (0 for ``W = 0``); ``ball_*``: see
    :mod:`muon_imbalance.training.metrics.norm_balls`.
    """

    @classmethod
    def alike(cls, settings: Chosen) -> Hashable:
        """Equal for matrices of the same size, whatever their mixtures and starts."""
        mixture, rest = settings.options.mixture, settings.options.model_dump(exclude=EACH)
        return mixture.k, mixture.d, repr(rest)

    def prepare(self) -> None:
        """Draw the bases and make the moments."""
        self.k, self.d = self.options.mixture.k, self.options.mixture.d
        self.metrics = set(self.options.metrics)
        self.p, self.mu, self.sigma2 = (
            self.tensor([getattr(one.options.mixture, key) for one in self.settings]) for key in ("p", "mu", "sigma2")
        )
        self.u, self.v = self.bases()
        self.sigma_xx, self.sigma_yx = self.moments()

    def per_seed(self, draw, *purpose: str) -> list[Tensor]:
        """``draw(generator)`` for each model, stacked; models of one repetition get the same numbers."""
        drawn = zip(*(draw(generator(self.experiment, *purpose, seed)) for seed in self.seeds), strict=True)
        return [torch.stack(tensors).to(self.device, self.dtype) for tensors in drawn]

    def bases(self) -> tuple[Tensor, Tensor]:
        """``U [S, k, k]`` and ``V [S, d, d]``."""
        u, v = self.per_seed(
            lambda rng: (random_rotation(self.k, rng), random_rotation(self.d, rng)), "population", "bases"
        )
        if self.options.labels == "one_hot":
            u = torch.eye(self.k, dtype=self.dtype, device=self.device).expand_as(u)
        return u, v

    def moments(self) -> tuple[Tensor, Tensor]:
        """``Sigma_xx [S, d, d]`` and ``Sigma_yx [S, k, d]`` (Lemma 3.1)."""
        s_xx = self.sigma2.unsqueeze(1).repeat(1, self.d)
        s_xx[:, : self.k] += self.mu.square().unsqueeze(1) * self.p
        s_yx = self.mu.unsqueeze(1) * self.p
        sigma_xx = (self.v * s_xx.unsqueeze(1)) @ self.v.mT
        return sigma_xx, (self.u * s_yx.unsqueeze(1)) @ self.v[:, :, : self.k].mT

    def init(self) -> Tensors:
        """``init_std`` times Gaussian numbers, zero by default."""
        std = self.tensor([one.options.model.init_std for one in self.settings])
        shape = (self.k, self.d)
        (drawn,) = self.per_seed(lambda rng: (torch.randn(shape, generator=rng, dtype=torch.float64),), "init")
        return {"weight": expand(std, drawn) * drawn + 0.0}  # no negative zeros

    def slope(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        """Loss ``[S]`` and its gradient ``[S, k, d]`` at ``W``."""
        grad = torch.bmm(weight, self.sigma_xx) - self.sigma_yx
        return 0.5 * ((grad - self.sigma_yx) * weight).sum((1, 2)) + 0.5, grad

    def gradients(self, params: Tensors, measure: bool) -> tuple[Tensor, Tensors, dict[Key, Tensor]]:
        loss, grad = self.slope(params["weight"])
        grads = {"weight": grad}
        return loss, grads, measure_balls(params, grads, self.metrics, "population") if measure else {}

    def evaluate(self, params: Tensors) -> dict[Key, Tensor]:
        """Component strengths, leakage off the diagonal, and the losses of Eq. 7 (valid for any ``W``)."""
        values = self.alignment(params["weight"])
        aligned = self.u.mT @ params["weight"] @ self.v  # [S, k, d]
        # L_c = 1/2 ||e_c - mu W v_c||^2 + sigma^2/2 ||W||_F^2, in the aligned basis
        identity = torch.eye(self.k, dtype=aligned.dtype, device=aligned.device)
        error = identity - self.mu[:, None, None] * aligned[:, :, : self.k]
        noise = self.sigma2 * aligned.square().sum((1, 2))
        per_class = 0.5 * (error.square().sum(1) + noise.unsqueeze(1))
        for c in range(self.k):
            values["population", f"class_{c}", "loss"] = per_class[:, c]
        values["population", "minority", "loss"] = per_class.gather(1, self.p.argmin(1, keepdim=True)).squeeze(1)
        values["population", "worst", "loss"] = per_class.amax(1)
        values["population", "balanced", "loss"] = per_class.mean(1)
        values["population", "all", "loss"] = (per_class * self.p).sum(1)
        return values

    def alignment(self, weight: Tensor) -> dict[Key, Tensor]:
        """Diagonal of ``W_bar = U^T W V``, its largest entry off the diagonal, and the deviation if it is measured."""
        aligned = self.u.mT @ weight @ self.v
        diagonal = torch.diagonal(aligned, dim1=1, dim2=2)
        values = {("population", f"class_{c}", "alpha"): diagonal[:, c] for c in range(self.k)}
        off = aligned.clone()
        torch.diagonal(off, dim1=1, dim2=2).zero_()
        values["population", "all", "offdiag"] = off.abs().amax((1, 2))
        if "deviation" in self.metrics:
            size = torch.linalg.matrix_norm(aligned)
            values["population", "all", "deviation"] = torch.linalg.matrix_norm(off) / size.masked_fill(size == 0, 1.0)
        return values


TASK = Population
