"""Theorems 1-4 for many mixtures at once: the smallest ``gap / (mu t)`` on ``0 < t <= t*`` of each.

Arrays: ``p`` [N, k] class probabilities, ``mu`` and ``sigma2`` [N]. NGF needs no root finding here: its
positions are computed on a grid of GF times, and the NGF time of each follows by adding up the length of the
path (see :func:`muon_imbalance.theory.flows.ngf` for one mixture at given times).
"""

import numpy as np
from numpy.typing import NDArray

from muon_imbalance.theory import flows

Array = NDArray[np.float64]

_POINTS = 8  # of the rule that adds up the length
_AHEAD = 1.3
"""GF time, in units of ``1/s_xx_m``, by which NGF's time has passed t*: the path up to there is longer than
``(1 - e^-1.3) sqrt(2) r_m > r_m``, since every other component has at least the minority's progress.
"""


def worst_ratios(p: Array, mu: Array, sigma2: Array, times: int = 64, block: int = 500) -> dict[str, dict[str, Array]]:
    """Smallest ``(L(flow) - L(SpecGF)) / (mu t)`` of every mixture, over a grid of times and the limit t -> 0.

    Args:
        times: points of the grid; t* is one of them.
        block: mixtures handled at once (memory).
    Returns:
        {"gf" | "ngf": {"minority" | "balanced": [N]}}.
    """
    parts = [
        _block(p[at : at + block], mu[at : at + block, None], sigma2[at : at + block, None], times)
        for at in range(0, len(p), block)
    ]
    return {
        flow: {part: np.concatenate([found[flow][part] for found in parts]) for part in ("minority", "balanced")}
        for flow in ("gf", "ngf")
    }


def _block(p: Array, mu: Array, sigma2: Array, times: int) -> dict[str, dict[str, Array]]:
    s_xx, s_yx = mu**2 * p + sigma2, mu * p
    r = s_yx / s_xx
    end = r.min(1)  # t*
    share = np.linspace(0, 1, times + 1)[1:]
    t = end[:, None] * share
    gf = flows.gf(t, s_xx[:, None], s_yx[:, None])
    tau, clock = _ngf_clock(end, s_xx, s_yx, times)
    ngf = flows.gf(tau, s_xx[:, None], s_yx[:, None])
    speed = s_yx / np.linalg.norm(s_yx, axis=1, keepdims=True)
    return {
        "gf": _smallest(gf, t, s_yx, r, p, mu, sigma2),
        "ngf": _smallest(ngf, clock, speed, r, p, mu, sigma2),
    }


def _ngf_clock(end: Array, s_xx: Array, s_yx: Array, times: int) -> tuple[Array, Array]:
    """GF times ``tau`` and NGF times ``t`` [N, times + 1], t <= t*; the last column is t = t*."""

    def length(start: Array, until: Array) -> Array:
        return flows.length(start, until, s_xx[:, None], s_yx[:, None], _POINTS)

    grid = _AHEAD / s_xx.min(1)[:, None] * np.linspace(0, 1, times + 1) ** 3  # fast components need short panels
    lengths = np.cumsum(length(grid[:, :-1], grid[:, 1:]), axis=1)
    lengths = np.concatenate([np.zeros((len(grid), 1)), lengths], axis=1)
    before = (lengths <= end[:, None]).sum(1) - 1  # panel that holds t*
    rows = np.arange(len(grid))
    start, passed = grid[rows, before][:, None], lengths[rows, before]
    last = start
    for _ in range(30):  # Newton from the left: the length is concave in tau, so it never overshoots
        short = end - passed - length(start, last)[:, 0]
        last = last + (short / flows.speed(last, s_xx[:, None], s_yx[:, None])[:, 0])[:, None]
        if np.all(np.abs(short) <= 1e-14 * end):
            break
    inside = lengths < end[:, None]
    tau = np.concatenate([np.where(inside, grid, last), last], axis=1)[:, 1:]
    t = np.concatenate([np.where(inside, lengths, end[:, None]), end[:, None]], axis=1)[:, 1:]
    return tau, t


def _smallest(alpha: Array, t: Array, start: Array, r: Array, p: Array, mu: Array, sigma2: Array) -> dict[str, Array]:
    """Smallest ratio over the grid ``t`` [N, T]; ``start`` [N, k]: the flow's speeds at t = 0."""
    spec = flows.specgf(t, r[:, None])
    noise = sigma2 * (np.sum(alpha**2, axis=-1) - np.sum(spec**2, axis=-1))
    gap = 0.5 * ((1 - mu[..., None] * alpha) ** 2 - (1 - mu[..., None] * spec) ** 2 + noise[..., None])
    rare = np.broadcast_to(p.argmin(1)[:, None, None], (*t.shape, 1))
    of = {"minority": np.take_along_axis(gap, rare, axis=-1)[..., 0], "balanced": gap.mean(-1)}
    limit = {"minority": 1 - np.take_along_axis(start, rare[:, 0], axis=1)[:, 0], "balanced": 1 - start.mean(1)}
    return {part: np.minimum((values / (mu * t)).min(1), limit[part]) for part, values in of.items()}
