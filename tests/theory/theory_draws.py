"""Random mixtures and bases for the theory tests, and a way to break the code on purpose."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import numpy as np
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from muon_imbalance.theory import moments
from tests.theory import simulate

BOUNDED = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],  # a busy machine is no failure
    report_multiple_bugs=False,
    phases=(Phase.explicit, Phase.generate),
)
"""Few, fixed examples: the same on every machine."""

FIG2 = moments.Mixture(k=3, d=3, p=(0.5, 0.3, 0.2), mu=1.0, sigma2=0.1)
UNIFORM = moments.Mixture(k=3, d=3, p=tuple(moments.uniform(3)), mu=1.0, sigma2=0.1)

seeds = st.integers(0, 2**32 - 1)


@st.composite
def mixtures(draw, most: int = 5) -> moments.Mixture:
    """Any mixture of 2 .. ``most`` classes; SNR between 0.1 and 100."""
    k = draw(st.integers(2, most))
    rng = np.random.default_rng(draw(seeds))
    p = rng.uniform(0.1, 1, k)
    mu = rng.uniform(0.5, 2)
    sigma2 = mu**2 / 10 ** rng.uniform(-1, 2)
    return moments.Mixture(k, k + draw(st.integers(0, 3)), tuple(p / p.sum()), mu, sigma2)


@st.composite
def rare_minorities(draw, fewest: int = 3) -> moments.Mixture:
    """Mixtures with ``k >= 3 mu`` and ``p_m <= 1/(5 SNR + 6 k)`` (often with equality): inside Theorems 1 and
    2.
    """
    k = draw(st.integers(fewest, fewest + 12))
    rng = np.random.default_rng(draw(seeds))
    mu = rng.uniform(1, k / 3) if k > 3 else 1.0
    snr = 10 ** rng.uniform(-2, 1)
    rare = draw(st.sampled_from([0.999999, 0.5])) / (5 * snr + 6 * k)
    others = rng.dirichlet(np.full(k - 1, 10 ** rng.uniform(-1, 3)))
    p = rare + (1 - k * rare) * np.append(others, 0.0)
    return moments.Mixture(k, k, tuple(p / p.sum()), mu, mu**2 / snr)


def bases(k: int, d: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Random orthogonal U [k, k] and V [d, d]."""
    rng = np.random.default_rng(seed)
    return simulate.random_orthogonal(k, rng), simulate.random_orthogonal(d, rng)


def diagonal(w_bar: np.ndarray) -> np.ndarray:
    """Main diagonal [..., k] of [..., k, d]."""
    return np.diagonal(w_bar, axis1=-2, axis2=-1)


def off_diagonal(w_bar: np.ndarray) -> float:
    """Largest entry off the main diagonal of [..., k, d]."""
    rest = np.array(w_bar)
    index = np.arange(w_bar.shape[-2])
    rest[..., index, index] = 0
    return float(np.abs(rest).max())


@contextmanager
def broken(module: ModuleType, old: str, new: str) -> Iterator[None]:
    """The module with ``old`` replaced by ``new`` in its source text (it must occur), restored at the end."""
    source = inspect.getsource(module)
    assert old in source, f"{old!r} is not in {module.__name__}: the mutation tests nothing"
    kept = dict(vars(module))
    try:
        exec(compile(source.replace(old, new), module.__name__, "exec"), vars(module))
        yield
    finally:
        vars(module).clear()
        vars(module).update(kept)
