"""Population least squares on the Gaussian mixture: the matrix iteration of Sec. 3.2 with exact moments.

``L(W) = 1/2 E ||y - W x||^2`` has gradient ``W Sigma_xx - Sigma_yx``; ``W`` starts at zero, in random orthogonal bases.
"""

import torch
from torch import Tensor

from muon_imbalance.training.engine import Key, Tensors
from muon_imbalance.training.randomness import generator


def random_rotation(size: int, rng: torch.Generator) -> Tensor:
    """Haar-distributed orthogonal matrix ``[size, size]`` (QR of a Gaussian, signs fixed)."""
    q, r = torch.linalg.qr(torch.randn(size, size, generator=rng, dtype=torch.float64))
    return q * torch.sign(torch.diagonal(r))


class Population:
    """Task: ``W [S, k, d]``, random bases ``U, V`` per repetition; what is measured is ``U^T W V``."""

    def __init__(self, settings: dict, experiment: str, seeds: list[int], dtype: torch.dtype, device: str):
        mixture = settings["mixture"]
        self.p = torch.tensor(mixture["p"], dtype=dtype, device=device)
        self.k, self.d = int(mixture["k"]), int(mixture["d"])
        self.mu, self.sigma2 = float(mixture["mu"]), float(mixture["sigma2"])
        self.stack = len(seeds)
        bases = []
        for seed in seeds:
            rng = generator(experiment, "population", "bases", seed)
            bases.append((random_rotation(self.k, rng), random_rotation(self.d, rng)))
        self.u = torch.stack([u for u, _ in bases]).to(device, dtype)
        self.v = torch.stack([v for _, v in bases]).to(device, dtype)
        s_xx = torch.full((self.d,), self.sigma2, dtype=dtype, device=device)
        s_xx[: self.k] += self.mu**2 * self.p
        self.sigma_xx = (self.v * s_xx) @ self.v.mT
        self.sigma_yx = (self.u * (self.mu * self.p)) @ self.v[:, :, : self.k].mT

    def init(self) -> Tensors:
        return {"weight": torch.zeros_like(self.sigma_yx)}

    def gradients(self, params: Tensors, measure: bool) -> tuple[Tensor, Tensors, dict[Key, Tensor]]:
        weight = params["weight"]
        grad = torch.bmm(weight, self.sigma_xx) - self.sigma_yx
        loss = 0.5 * ((grad - self.sigma_yx) * weight).sum((1, 2)) + 0.5
        return loss, {"weight": grad}, {}

    def evaluate(self, params: Tensors) -> dict[Key, Tensor]:
        """Component strengths, leakage off the diagonal, and the losses of Eq. 7 (valid for any ``W``)."""
        aligned = self.u.mT @ params["weight"] @ self.v  # [S, k, d]
        diagonal = torch.diagonal(aligned, dim1=1, dim2=2)  # [S, k]
        off = aligned.clone()
        torch.diagonal(off, dim1=1, dim2=2).zero_()
        # L_c = 1/2 ||e_c - mu W v_c||^2 + sigma^2/2 ||W||_F^2, in the aligned basis
        error = torch.eye(self.k, dtype=aligned.dtype, device=aligned.device) - self.mu * aligned[:, :, : self.k]
        per_class = 0.5 * error.square().sum(1) + 0.5 * self.sigma2 * aligned.square().sum((1, 2)).unsqueeze(1)
        values: dict[Key, Tensor] = {}
        for c in range(self.k):
            values["population", f"class_{c}", "alpha"] = diagonal[:, c]
            values["population", f"class_{c}", "loss"] = per_class[:, c]
        values["population", "all", "offdiag"] = off.abs().amax((1, 2))
        values["population", "minority", "loss"] = per_class[:, int(self.p.argmin())]
        values["population", "balanced", "loss"] = per_class.mean(1)
        values["population", "all", "loss"] = (per_class * self.p).sum(1)
        return values
