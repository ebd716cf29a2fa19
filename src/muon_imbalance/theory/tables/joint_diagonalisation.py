"""The off-diagonal part that Condition 1 neglects, ``||B|| / ||S_xx||``, by number of samples (fig_s7).

Rows (``step``: samples n, ``t``: repetition): metrics ``spectral`` and ``frobenius``
(:func:`muon_imbalance.theory.diagonalisation.off_diagonal_ratio`).

* Of mixtures: ``curve`` is the mixture's name, group ``uncentred``; curve ``<name>/population`` with step 0 is
  the exact ratio.
* Of a data set: ``curve`` is ``data``, groups ``uncentred`` (the paper's moments) and ``centred``; metric
  ``entry`` with groups ``i,j`` (repetition 0, all samples): entries of ``|S_xx + B|`` over the largest.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.theory import diagonalisation
from muon_imbalance.theory.moments import Mixture, population_moments
from muon_imbalance.theory.options import Mixtures, Samples, Seed
from muon_imbalance.theory.tables.rows import frame, rows

SHOWN = 14
"""Rows and columns of the matrix that are kept."""


class DataOptions(Settings):
    """The off-diagonal part that Condition 1 neglects, of a data set's samples (fig_s7)."""

    sizes: list[Samples] = Field(min_length=1, description="numbers of samples; the data set's own is added")
    repetitions: int = Field(ge=1, le=10_000, description="draws of each size")
    seed: Seed = Field(0, description="seed of the draws")


class Options(DataOptions):
    """The off-diagonal part that Condition 1 neglects, of samples of mixtures (fig_s7)."""

    sizes: list[Samples] = Field(min_length=1, description="numbers of samples")
    mixtures: Mixtures = Field(description="data models, by the name that their curves get")


def table(options: DataOptions, data: Path | None = None) -> pd.DataFrame:
    """The table, see the module's text.

    Raises:
        UserError: the data set has no images, or fewer than one of ``sizes``.
    """
    if data:
        return frame(_of_data(*_read(data), options))
    parts = []
    for number, (name, settings) in enumerate(options.mixtures.items()):
        parts += _of_mixture(name, Mixture.of(settings), options, np.random.default_rng([options.seed, number]))
    return frame(parts)


def _ratios(curve: str, group: str, moments: tuple[np.ndarray, np.ndarray], n: int, repetition: int) -> list:
    found = diagonalisation.off_diagonal_ratio(*moments)
    return [rows(curve, norm, group, value, n, float(repetition)) for norm, value in found.items()]


def _of_mixture(name: str, mixture: Mixture, options: Options, rng: np.random.Generator) -> list:
    most, exact = max(options.sizes), population_moments(mixture)
    parts = _ratios(f"{name}/population", "uncentred", (exact.sigma_xx, exact.sigma_yx), 0, 0)
    for repetition in range(options.repetitions):
        label = rng.choice(mixture.k, size=most, p=mixture.p)
        x = np.sqrt(mixture.sigma2) * rng.standard_normal((most, mixture.d))
        x[np.arange(len(x)), label] += mixture.mu
        y = np.eye(mixture.k)[label]
        for n in options.sizes:
            parts += _ratios(name, "uncentred", diagonalisation.sample_moments(x[:n], y[:n]), n, repetition)
    return parts


def _read(folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Training inputs [n, d] in [0, 1] and one-hot targets [n, k] of an image data set."""
    from muon_imbalance.data import registry
    from muon_imbalance.data.store import manifest

    held = registry.module(manifest.read(folder)["builder"]).load(folder, "train", [0])
    if "images" not in held:
        raise UserError(f"{folder} holds no images; allowed: a data set of images and labels")
    images, label = held["images"], held["label"]
    return images.reshape(len(images), -1) / np.float64(255), np.eye(int(label.max()) + 1)[label]


def _of_data(x: np.ndarray, y: np.ndarray, options: DataOptions) -> list:
    if (most := max(options.sizes)) > len(x):
        raise UserError(f"sizes = {most}; allowed: up to the {len(x)} training samples of the data set")
    parts = []
    for n in sorted({*options.sizes, len(x)}):
        for repetition in range(options.repetitions if n < len(x) else 1):
            rng = np.random.default_rng([options.seed, n, repetition])
            chosen = rng.permutation(len(x))[:n] if n < len(x) else slice(None)
            moments = diagonalisation.sample_moments(x[chosen], y[chosen])
            parts += _ratios("data", "uncentred", moments, n, repetition)
            parts += _ratios("data", "centred", diagonalisation.centred(moments, x[chosen], y[chosen]), n, repetition)
    return parts + _entries(diagonalisation.in_right_basis(*moments), len(x))


def _entries(matrix: np.ndarray, n: int) -> list:
    block = np.abs(matrix[:SHOWN, :SHOWN]) / np.abs(matrix).max()
    index = [f"{i},{j}" for i in range(len(block)) for j in range(len(block))]
    return [rows("data", "entry", index, block.ravel(), n)]
