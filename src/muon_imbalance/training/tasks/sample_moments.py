"""Least squares on the moments of a sample of the Gaussian mixture (App. C: Figs 11, 12, 13).

Condition 1 then holds approximately: with ``U_n S V_n^T`` the SVD of the sample's ``Sigma_yx``, ``V_n^T Sigma_xx V_n``
has an off-diagonal part ``B``, which may be deleted. Losses and ``alpha`` are those of the population.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.data.store.array_files import read_arrays
from muon_imbalance.data.tables import gaussian_mixture
from muon_imbalance.training.options import Ball, Mixture, Needs, Start
from muon_imbalance.training.registry import Dataset
from muon_imbalance.training.task import Key, Tensors
from muon_imbalance.training.tasks.population import Population

NEEDS = Needs(dataset=True, builders=["gaussian_mixture"], classes=False)


class Options(Settings):
    """Least squares on the moments of a sample of the mixture."""

    mixture: Mixture = Field(description="parameters of the mixture, those of the data set")
    model: Start = Field(description="where the matrix starts")
    off_diagonal: Literal["keep", "delete"] = Field(
        "keep", description="what becomes of B, the part of the second moment that Condition 1 neglects"
    )
    metrics: list[Literal["deviation"] | Ball] = Field([], description="measured beside losses and components")


def check(mixture: Mixture, dataset: Dataset) -> None:
    """The data set must be a sample of the mixture.

    Raises:
        UserError: the first parameter that differs.
    """
    config = gaussian_mixture.Options().model_dump() | dataset.config
    same = {
        "classes": (config["classes"], mixture.k),
        "dimension": (config["dimension"], mixture.d),
        "prior": (config["prior"], mixture.p),
        "mean_norm": (config["mean_norm"], mixture.mu),
        "noise": (config["noise"] ** 2, mixture.sigma2),
        "means": (config["means"], "orthogonal"),
    }
    for key, (found, wanted) in same.items():
        close = found == wanted if isinstance(wanted, str | list) else abs(found - wanted) <= 1e-9
        if not close:
            raise UserError(f"dataset {dataset.name}: {key} gives {found!r}, the mixture has {wanted!r}")


class SampleMoments(Population):
    """``W [S, k, d]`` from small Gaussian numbers, driven by the moments of the training sample.

    Measured in the sample's own basis beside the population's: ``alpha_own`` (diagonal of ``U_n^T W V_n``);
    ``off_diagonal_share`` is ``||B||_F / ||S||_F``.
    """

    def prepare(self) -> None:
        """Read the means and the training sample."""
        check(self.options.mixture, self.dataset)
        means = read_arrays(self.data, ["means"])["means"][self.seeds]
        drawn = gaussian_mixture.load(self.data, "train", self.seeds)
        self.means, self.inputs, self.labels = (torch.from_numpy(a) for a in (means, drawn["inputs"], drawn["label"]))
        super().prepare()

    def bases(self) -> tuple[Tensor, Tensor]:
        """``U`` is the identity (labels are one-hot), ``V`` the directions of the means and a complement."""
        directions = self.means.mT / torch.linalg.vector_norm(self.means, dim=2).unsqueeze(1)  # [S, d, k]
        rest = torch.linalg.qr(directions, mode="complete")[0][:, :, self.k :]
        u = torch.eye(self.k).expand(self.stack, self.k, self.k)
        return u.to(self.device, self.dtype), torch.cat([directions, rest], 2).to(self.device, self.dtype)

    def moments(self) -> tuple[Tensor, Tensor]:
        """``Sigma_xx`` and ``Sigma_yx`` of the sample; ``B`` is deleted where the settings say so."""
        targets = torch.nn.functional.one_hot(self.labels, self.k).double()
        n = self.inputs.shape[1]
        sigma_xx, sigma_yx = self.inputs.mT @ self.inputs / n, targets.mT @ self.inputs / n
        u, _, vt = torch.linalg.svd(sigma_yx)
        order = self._order(u, vt[:, : self.k])
        u = torch.gather(u, 2, order.unsqueeze(1).expand_as(u))
        leading = torch.gather(vt[:, : self.k], 1, order.unsqueeze(2).expand(-1, -1, self.d))
        v = torch.cat([leading, vt[:, self.k :]], 1).mT
        rotated = v.mT @ sigma_xx @ v
        kept = torch.diag_embed(torch.diagonal(rotated, dim1=1, dim2=2))
        self.share = torch.linalg.matrix_norm(rotated - kept) / torch.linalg.matrix_norm(kept)
        delete = torch.tensor([one.options.off_diagonal == "delete" for one in self.settings])
        sigma_xx = torch.where(delete[:, None, None], v @ kept @ v.mT, sigma_xx)
        self.own_u, self.own_v = u.to(self.device, self.dtype), v.to(self.device, self.dtype)
        return sigma_xx.to(self.device, self.dtype), sigma_yx.to(self.device, self.dtype)

    def _order(self, u: Tensor, vt: Tensor) -> Tensor:
        """Which singular pair belongs to class c, ``[S, k]``: the one that overlaps most with ``e_c mu_c^T``."""
        overlap = torch.einsum("sci,sid,sdc->sic", u, vt, self.v[:, :, : self.k].double().cpu())
        order = overlap.argmax(1)
        if np.any([len(set(row)) < self.k for row in order.tolist()]):
            raise UserError("the sample is too small: a singular pair of its cross moment belongs to no class")
        return order

    def evaluate(self, params: Tensors) -> dict[Key, Tensor]:
        """As the population's, with components in the sample's basis and the size of ``B``."""
        values = super().evaluate(params)
        own = torch.diagonal(self.own_u.mT @ params["weight"] @ self.own_v, dim1=1, dim2=2)
        values |= {("population", f"class_{c}", "alpha_own"): own[:, c] for c in range(self.k)}
        values["train", "all", "off_diagonal_share"] = self.share
        return values


TASK = SampleMoments
