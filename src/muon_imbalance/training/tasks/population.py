"""Population least squares on the Gaussian mixture: the matrix iteration of Sec. 3.2 with exact moments.

``L(W) = 1/2 E ||y - W x||^2`` has gradient ``W Sigma_xx - Sigma_yx``; bases are random and orthogonal.
"""

import torch
from torch import Tensor

from muon_imbalance.plan.job import Job
from muon_imbalance.training.engine import Key, Tensors, expand
from muon_imbalance.training.metrics.norm_balls import measure as measure_balls
from muon_imbalance.training.randomness import generator


def random_rotation(size: int, rng: torch.Generator) -> Tensor:
    """Haar-distributed orthogonal matrix ``[size, size]`` (QR of a Gaussian, signs fixed)."""
    q, r = torch.linalg.qr(torch.randn(size, size, generator=rng, dtype=torch.float64))
    return q * torch.sign(torch.diagonal(r))


def stackable(settings: dict) -> tuple[int, int]:
    """Equal for models that can share a stack: those of the same size."""
    return int(settings["mixture"]["k"]), int(settings["mixture"]["d"])


def build(settings: list[dict], job: Job, seeds: list[int], data: None) -> "Population":
    """The task of a stack."""
    return Population(settings, job.experiment, seeds, getattr(torch, job.dtype), job.device)


class Population:
    """Task: ``W [S, k, d]``, random bases ``U, V`` per repetition; what is measured is ``W_bar = U^T W V``.

    ``settings`` (one per model): ``mixture``; ``labels``: ``rotated`` (default, ``U`` is random) or ``one_hot``
    (``U`` is the identity, as in (DM); rules that look at single entries depend on it); ``model``: entries of ``W``
    start with standard deviation ``init_std`` (default 0); ``metrics`` may ask for ``deviation``, the share of
    ``W_bar`` off its diagonal, ``||W_bar - diag W_bar||_F / ||W_bar||_F`` (0 for ``W = 0``), and for ``ball_*``, see
    :mod:`muon_imbalance.training.metrics.norm_balls`.
    """

    def __init__(self, settings: list[dict], experiment: str, seeds: list[int], dtype: torch.dtype, device: str):
        self.settings, self.experiment, self.seeds = settings, experiment, seeds
        self.dtype, self.device = dtype, device
        self.stack = len(seeds)
        self.k, self.d = stackable(settings[0])
        self.metrics = set(settings[0].get("metrics", ()))
        self.p, self.mu, self.sigma2 = (self._of_mixture(key) for key in ("p", "mu", "sigma2"))
        self.u, self.v = self.bases()
        self.sigma_xx, self.sigma_yx = self.moments()

    def _of_mixture(self, key: str) -> Tensor:
        """A parameter of the mixture per model, ``[S]`` (``p``: ``[S, k]``)."""
        return torch.tensor([model["mixture"][key] for model in self.settings], dtype=self.dtype, device=self.device)

    def per_seed(self, draw, *purpose: str) -> list[Tensor]:
        """``draw(generator)`` for each model, stacked; models of one repetition get the same numbers."""
        drawn = zip(*(draw(generator(self.experiment, *purpose, seed)) for seed in self.seeds), strict=True)
        return [torch.stack(tensors).to(self.device, self.dtype) for tensors in drawn]

    def bases(self) -> tuple[Tensor, Tensor]:
        """``U [S, k, k]`` and ``V [S, d, d]``."""
        u, v = self.per_seed(
            lambda rng: (random_rotation(self.k, rng), random_rotation(self.d, rng)), "population", "bases"
        )
        if self.settings[0].get("labels") == "one_hot":
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
        stds = [model.get("model", {}).get("init_std", 0.0) for model in self.settings]
        std = torch.tensor(stds, dtype=self.dtype, device=self.device)
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
        """Diagonal of ``W_bar = U^T W V``, its largest entry off the diagonal, and the deviation if asked for."""
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
