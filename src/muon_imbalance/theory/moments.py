"""The Gaussian mixture (DM), its class probabilities and its population moments (Lemma 3.1).

Labels ``y`` in {0 .. k-1} with ``P(y = c) = p_c`` are one-hot in the basis ``U`` (target ``U e_c``); inputs are ``x | y
= c ~ N(mu V e_c, sigma2 I_d)``. The first k columns of the orthogonal ``V`` are the directions of the class means.
"""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from muon_imbalance.common.settings import checked
from muon_imbalance.theory.options import MixtureSettings, StepPrior

Array = NDArray[np.float64]


def uniform(k: int) -> Array:
    """Balanced classes, ``p_c = 1/k``. Shape [k]."""
    return np.full(k, 1.0 / k)


def zipf(k: int, exponent: float = 1.0) -> Array:
    """Heavy-tailed classes, ``p_c`` proportional to ``1 / c**exponent``, c = 1 .. k (Sec. 3.1). Shape [k]."""
    weights = np.arange(1, k + 1, dtype=np.float64) ** -exponent
    return weights / weights.sum()


def step(k: int, ratio: float) -> Array:
    """STEP imbalance: the first ceil(k/2) classes are ``ratio`` times as likely as the others. Shape [k]."""
    weights = np.where(np.arange(k) < (k + 1) // 2, float(ratio), 1.0)
    return weights / weights.sum()


def _prior(options: MixtureSettings) -> list[float]:
    """Class probabilities, whether listed or given by name."""
    if isinstance(options.p, list):
        return options.p
    if isinstance(options.p, StepPrior):
        return step(options.k, options.p.step).tolist()
    return {"uniform": uniform, "zipf": zipf}[options.p](options.k).tolist()


def _plain(value: Any) -> Any:
    """A value as a configuration would hold it: no NumPy, lists for tuples."""
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    return list(value) if isinstance(value, tuple) else value


@dataclass(frozen=True)
class Mixture:
    """Data model (DM): k classes in d dimensions with orthogonal means of norm ``mu``.

    ``sigma2`` is the noise variance per coordinate, ``p`` is a tuple of k probabilities in any order.

    Raises:
        UserError: a value outside the model, see :class:`MixtureSettings`.
    """

    k: int
    d: int
    p: tuple[float, ...]
    mu: float
    sigma2: float

    def __post_init__(self):
        given = {field.name: _plain(getattr(self, field.name)) for field in fields(self)}
        options = checked(MixtureSettings, given, "mixture")
        for key, value in {**dict(options), "p": tuple(_prior(options))}.items():
            object.__setattr__(self, key, value)

    @classmethod
    def of(cls, options: MixtureSettings) -> "Mixture":
        """The mixture that settings describe, with a prior given by name written out."""
        return cls(options.k, options.d, tuple(_prior(options)), options.mu, options.sigma2)

    @property
    def snr(self) -> float:
        """Signal-to-noise ratio ``mu**2 / sigma2``."""
        return self.mu**2 / self.sigma2

    @property
    def minority(self) -> int:
        """Index m of the least likely class (the first one among equals)."""
        return int(np.argmin(self.p))


@dataclass(frozen=True)
class Moments:
    """Population moments in the eigenbasis and as matrices.

    Attributes:
        s_xx: [k] ``mu**2 p_c + sigma2``, the eigenvalues of Sigma_xx along the means (the other d - k are
            ``sigma2``).
        s_yx: [k] ``mu p_c``, the singular values of Sigma_yx.
        r: [k] ``s_yx / s_xx``, the diagonal of the optimum ``U^T W* V``.
        snr: ``mu**2 / sigma2``.
        sigma_xx: [d, d] ``V diag(s_xx, sigma2, ...) V^T = E[x x^T]``.
        sigma_yx: [k, d] ``U [diag(s_yx) 0] V^T = E[y x^T]``.
    """

    s_xx: Array
    s_yx: Array
    r: Array
    snr: float
    sigma_xx: Array
    sigma_yx: Array


def population_moments(mixture: Mixture, u: Array | None = None, v: Array | None = None) -> Moments:
    """Moments of (DM) in the bases ``u`` [k, k], ``v`` [d, d] (default: identity), Lemma 3.1 and App. B.1.

    ``r_c = (1/mu) SNR / (SNR + 1/p_c)``: the optimum itself shrinks rare classes.
    """
    p = np.asarray(mixture.p)
    s_xx = mixture.mu**2 * p + mixture.sigma2
    s_yx = mixture.mu * p
    v = np.eye(mixture.d) if v is None else np.asarray(v, dtype=np.float64)
    spectrum = np.concatenate([s_xx, np.full(mixture.d - mixture.k, mixture.sigma2)])
    return Moments(
        s_xx=s_xx,
        s_yx=s_yx,
        r=s_yx / s_xx,
        snr=mixture.snr,
        sigma_xx=(v * spectrum) @ v.T,
        sigma_yx=cross_moment(s_yx, np.eye(mixture.k) if u is None else u, v),
    )


def cross_moment(s_yx: Array, u: Array, v: Array) -> Array:
    """``U [diag(s_yx) 0] V^T`` [k, d] from ``s_yx`` [k], ``u`` [k, k], ``v`` [d, d] (Condition 1)."""
    u, v = np.asarray(u, dtype=np.float64), np.asarray(v, dtype=np.float64)
    return (u * s_yx) @ v[:, : len(s_yx)].T
