"""Continuous-time limits of the optimizers on the linear model from zero (App. B.2, B.4).

``s_xx``, ``s_yx``, ``r`` have shape [k] (or one that broadcasts to [..., k]); ``t`` is flow time (``lr * step``) of any
shape [...]; results have shape [..., k].
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

_RULES = {points: np.polynomial.legendre.leggauss(points) for points in (8, 16)}


def gf(t: ArrayLike, s_xx: ArrayLike, s_yx: ArrayLike) -> Array:
    """Gradient flow (Eq. 2): ``r_c (1 - e^(-s_xx_c t))``."""
    s_xx, s_yx = np.asarray(s_xx, dtype=np.float64), np.asarray(s_yx, dtype=np.float64)
    return s_yx / s_xx * -np.expm1(-s_xx * np.asarray(t, dtype=np.float64)[..., None])


def specgf(t: ArrayLike, r: ArrayLike, speed: float = 1.0) -> Array:
    """Spectral gradient flow: ``min(speed t, r_c)``. The minority (smallest r) arrives first, at t*."""
    return np.minimum(speed * np.asarray(t, dtype=np.float64)[..., None], np.asarray(r, dtype=np.float64))


def slowed_specgf(t: ArrayLike, r: ArrayLike) -> Array:
    """SpecGF at speed ``1/sqrt(k)``: as fast as NGF in Frobenius norm until the first component is fitted."""
    return specgf(t, r, speed=len(np.atleast_1d(r)) ** -0.5)


def speed(tau: Array, s_xx: Array, s_yx: Array) -> Array:
    """``||g||_2`` at GF time ``tau`` [...], where ``g_c = s_yx_c e^(-s_xx_c tau)``."""
    return np.linalg.norm(s_yx * np.exp(-s_xx * tau[..., None]), axis=-1)


def length(start: Array, end: Array, s_xx: Array, s_yx: Array, points: int = 16) -> Array:
    """Length of GF's path between the GF times ``start`` and ``end`` [...], by a Gauss-Legendre rule."""
    nodes, weights = _RULES[points]
    half = (end - start) / 2
    tau = start[..., None] + half[..., None] * (nodes + 1)
    return half * (speed(tau, s_xx[..., None, :], s_yx[..., None, :]) @ weights)


def _mileposts(s_xx: Array, s_yx: Array) -> tuple[Array, Array]:
    """GF times 0 .. ``40 / min(s_xx)``, each a quarter above the last, and the length of the path so far.

    The speed falls at least like e^(-s_min tau), so 4e-18 of the path is left at the last one.
    """
    first, last = 1e-3 / np.max(s_xx), 40.0 / np.min(s_xx)
    count = int(np.ceil(np.log(last / first) / np.log(1.25))) + 1
    tau = np.concatenate([[0.0], np.geomspace(first, last, count)])
    return tau, np.concatenate([[0.0], np.cumsum(length(tau[:-1], tau[1:], s_xx, s_yx))])


def ngf_arrival_time(s_xx: ArrayLike, s_yx: ArrayLike) -> float:
    """Time at which NGF reaches the optimum: the length of GF's path, ``int ||s_yx e^(-s_xx tau)|| dtau``."""
    s_xx, s_yx = np.asarray(s_xx, dtype=np.float64), np.asarray(s_yx, dtype=np.float64)
    return float(_mileposts(s_xx, s_yx)[1][-1])


def ngf(t: ArrayLike, s_xx: ArrayLike, s_yx: ArrayLike) -> Array:
    """Normalised gradient flow ``alpha' = g / ||g||_2``, ``g = s_yx - s_xx alpha``: GF's path at unit speed.

    NGF at time t is GF at the time tau by which GF has covered the length t (``dtau/dt = 1/||g||``). The
    length grows concavely, so Newton's method from the milepost before t climbs to tau without overshooting.
    Accurate to about 1e-13; from :func:`ngf_arrival_time` on, alpha is the optimum r.
    """
    s_xx, s_yx = np.asarray(s_xx, dtype=np.float64), np.asarray(s_yx, dtype=np.float64)
    t = np.asarray(t, dtype=np.float64)
    posts, lengths = _mileposts(s_xx, s_yx)
    before = np.clip(np.searchsorted(lengths, t, side="right") - 1, 0, len(posts) - 2)
    tau = start = posts[before]
    for _ in range(40):
        short = np.minimum(t, lengths[-1]) - lengths[before] - length(start, tau, s_xx, s_yx)
        tau = np.clip(tau + short / speed(tau, s_xx, s_yx), start, posts[before + 1])
        if np.all(np.abs(short) <= 1e-14 * lengths[-1]):
            break
    tau = np.where(t >= lengths[-1], np.inf, tau)
    return gf(tau, s_xx, s_yx)
