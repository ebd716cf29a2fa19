"""The data model (DM): y ~ p, x | y ~ N(mu_y, noise^2 I_d), class means of equal length (Sec. 3, Fig. 4).

Means are random directions (Fig. 4: isotropic Gaussian, normalised) or exactly orthogonal (as in the theory).
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from pydantic import model_validator

from muon_imbalance.common.apportion import by_largest_remainder
from muon_imbalance.common.seeding import stable_seed
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import read_split

SPLITS = ("train", "test")


class Step(Settings):
    """STEP imbalance: the first half of the classes (rounded up) is more frequent than the others."""

    step: float = Field(ge=1, description="how many times more frequent")


class Options(Settings):
    """The data model (DM): ``y ~ p``, ``x | y ~ N(mu_y, noise^2 I_d)``, class means of equal length."""

    classes: int = Field(20, ge=2, description="number of classes, k")
    dimension: int = Field(200, ge=1, description="length of an input, d; at least k where means are orthogonal")
    prior: Literal["zipf"] | Step | list[Annotated[float, Field(gt=0)]] = Field(
        "zipf", description="probabilities of the classes: zipf (p_c ~ 1/c), {step: ratio}, or k numbers that sum to 1"
    )
    mean_norm: float = Field(1.0, gt=0, description="length of a class mean")
    means: Literal["random", "orthogonal"] = Field("random", description="directions of the class means")
    noise: float = Field(0.2, ge=0, description="standard deviation of an input around its class mean")
    train: int = Field(1000, ge=2, description="training samples, at least k")
    labels: Literal["rounded", "drawn"] = Field("rounded", description="training labels: train * p_c rounded, or drawn")
    test_per_class: int = Field(200, ge=1, description="test samples of each class")
    repetitions: int = Field(5, ge=1, description="independent draws")
    seed: int = Field(0, ge=0, description="seed of the draws")

    @model_validator(mode="after")
    def _sizes(self):
        classes, prior = self.classes, self.prior
        if self.train < classes:
            raise ValueError(f"train = {self.train}; allowed: a whole number from {classes} (classes)")
        if self.means == "orthogonal" and self.dimension < classes:
            raise ValueError(
                f"dimension = {self.dimension}; allowed: at least {classes} (classes), since means are orthogonal"
            )
        if isinstance(prior, list) and (len(prior) != classes or abs(sum(prior) - 1) > 1e-6):
            raise ValueError(f"prior = {prior}; allowed: zipf, {{step: ratio}}, or {classes} numbers that sum to 1")
        return self


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Draw means, training and balanced test samples for each repetition, in float64.

    Arrays, for ``R`` repetitions, ``n`` training samples, ``k`` classes: ``train_inputs [R, n, d]``,
    ``train_label [n]`` (``[R, n]`` if drawn), ``test_inputs [R, k * test_per_class, d]``,
    ``test_label [k * test_per_class]``, ``means [R, k, d]``, ``prior [k]``. Samples are sorted by class; class c
    has ``n p_c`` training samples by largest remainders, at least one, or with ``labels: drawn`` as many as n
    draws from the prior give.
    """
    options = checked(Options, config, "gaussian_mixture")
    classes, dimension, train, seed = options.classes, options.dimension, options.train, options.seed
    repetitions, prior = options.repetitions, _prior(options.prior, options.classes)
    labels = {
        "train": np.repeat(np.arange(classes), class_counts(prior, train)),
        "test": np.repeat(np.arange(classes), options.test_per_class),
    }
    means = np.empty((repetitions, classes, dimension))
    arrays = {f"{split}_inputs": np.empty((repetitions, len(labels[split]), dimension)) for split in SPLITS}
    if options.labels == "drawn":
        rounds = [_generator(seed, r, "labels").multinomial(train, prior) for r in range(repetitions)]
        labels["train"] = np.array([np.repeat(np.arange(classes), counts) for counts in rounds])
    for r in range(repetitions):
        means[r] = options.mean_norm * _directions(_generator(seed, r, "means"), classes, dimension, options.means)
        for split, label in labels.items():
            label = label[r] if label.ndim == 2 else label
            scatter = _generator(seed, r, split).standard_normal((len(label), dimension))
            arrays[f"{split}_inputs"][r] = means[r][label] + options.noise * scatter
    arrays |= {f"{split}_label": labels[split].astype(np.int64) for split in SPLITS}
    arrays |= {"means": means, "prior": prior}
    facts = {
        "kind": "generated",
        "label": f"Gaussian mixture (k = {classes}, d = {dimension}, n = {train:,})",
        "source": {"name": "generated", "seed": seed},
        "licence": "none needed: generated by this project",
        "citation": "data model DM of the paper",
        "builder": "gaussian_mixture",
        "config": options.model_dump() | config,
    }
    manifest.write(out, arrays, facts, describe(arrays))


def _generator(seed: int, repetition: int, role: str) -> np.random.Generator:
    return np.random.default_rng(stable_seed("gaussian_mixture", seed, repetition, role))


def _prior(given: str | Step | list[float], classes: int) -> np.ndarray:
    """Probabilities of the classes, ``[k]``."""
    if isinstance(given, list):
        return np.array(given, float) / sum(given)
    if given == "zipf":
        weights = 1 / np.arange(1, classes + 1)
    else:
        weights = np.where(np.arange(classes) < majority_classes(classes), given.step, 1.0)
    return weights / weights.sum()


def majority_classes(classes: int) -> int:
    """Number of majority classes under STEP imbalance: the first half, rounded up."""
    return (classes + 1) // 2


def classes(config: Mapping) -> int:
    """Number of classes."""
    return checked(Options, config, "gaussian_mixture").classes


def class_sets(config: Mapping) -> dict[str, list[int]]:
    """Majority and minority classes of a config with a STEP prior; otherwise none."""
    options = checked(Options, config, "gaussian_mixture")
    if not isinstance(options.prior, Step):
        return {}
    first = majority_classes(options.classes)
    return {"majority": list(range(first)), "minority": list(range(first, options.classes))}


def class_counts(prior: np.ndarray, total: int) -> np.ndarray:
    """Whole numbers ``[k]`` that sum to ``total`` (>= k): ``total * prior`` by largest remainders.

    Classes that would get none get one, taken from the largest class.
    """
    counts = by_largest_remainder(total, prior)
    while (counts == 0).any():
        counts[counts.argmax()] -= 1
        counts[counts.argmin()] += 1
    return counts


def _directions(rng: np.random.Generator, classes: int, dimension: int, style: str) -> np.ndarray:
    """Unit rows ``[k, d]``: Gaussian directions, or a random orthonormal set (sign-fixed QR)."""
    draw = rng.standard_normal((classes, dimension))
    if style == "random":
        return draw / np.linalg.norm(draw, axis=1, keepdims=True)
    q, r = np.linalg.qr(draw.T)
    return (q * np.where(np.diag(r) < 0, -1.0, 1.0)).T


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split and class (mean over repetitions where drawn), sample shape, mean and sd of training inputs."""
    counts, inputs = {}, arrays["train_inputs"]
    for split in SPLITS:
        label = np.atleast_2d(arrays[f"{split}_label"])
        counts[split] = {"all": label.shape[1]}
        for c in range(len(arrays["prior"])):
            mean = float((label == c).sum() / len(label))
            counts[split][f"class_{c}"] = int(mean) if mean.is_integer() else mean
    return {"counts": counts, "shape": [inputs.shape[2]], "mean": float(inputs.mean()), "std": float(inputs.std())}


def load(path: Path, split: str, repetitions: Sequence[int]) -> dict[str, np.ndarray]:
    """``inputs [R', n, d]`` float64 and ``label [R', n]`` int64 of the given repetitions."""
    names, chosen = (f"{split}_inputs", f"{split}_label"), list(repetitions)
    inputs, label = read_split("gaussian_mixture", path, SPLITS, split, chosen, names, names[0]).values()
    return {"inputs": inputs[chosen], "label": label[chosen] if label.ndim == 2 else np.tile(label, (len(chosen), 1))}
