"""Checks of the polar factors: exact, Newton-Schulz, Polar Express; they are given the modules, or spoilt copies."""

from contextlib import nullcontext

import numpy as np
import torch

from . import formulas
from .checks import close, spectrum
from .plain_products import InTurn


def check_exact_polar(polar):
    """Against the SVD: full rank, tiny, rank deficient, above and below the relative cut-off.

    Each matrix by itself and in a batch, which are computed in different ways on a CPU.
    """
    for models in (1, 2):
        check_exact_polar_of_batch(lambda x, models=models: polar.exact(x.expand(models, *x.shape))[-1])
    assert torch.equal(polar.exact(torch.zeros(2, 3, 4)), torch.zeros(2, 3, 4))
    assert torch.equal(polar.exact(torch.zeros(3, 4)), torch.zeros(3, 4))


def check_exact_polar_of_batch(exact):
    for rows, cols in [(6, 6), (4, 20), (20, 4), (1, 9), (9, 1)]:
        k = min(rows, cols)
        for scale in (1.0, 1e-12, 1e-170, 1e170):
            x = scale * spectrum(rows, cols, np.geomspace(1, 1e-2, k))
            got = exact(torch.from_numpy(x))
            close(got, formulas.spectral(x / scale), 1e-11, f"polar factor of {rows}x{cols} at scale {scale}")
    tiny = torch.from_numpy(1e-12 * spectrum(8, 5, np.geomspace(1, 1e-2, 5))).float()
    factor = exact(tiny)
    assert factor.dtype == torch.float32
    close(torch.linalg.svdvals(factor), np.ones(5), 1e-5, "singular values at scale 1e-12 in float32")
    for dropped in (0.0, 1e-7):
        x = spectrum(8, 6, [1, 0.5, 0.1, dropped, dropped, dropped])
        got = exact(torch.from_numpy(x))
        close(got, formulas.spectral(x), 1e-9, f"truncated polar factor, rest {dropped}")
        close(np.linalg.svd(got)[1], [1, 1, 1, 0, 0, 0], 1e-9, "rank of the truncated polar factor")
    x = spectrum(8, 6, [1, 0.5, 0.1, 1e-5, 1e-5, 1e-5])
    close(exact(torch.from_numpy(x)), formulas.spectral(x), 1e-5, "kept singular values")


SPECTRA = {
    "geometric": lambda k, cond: np.geomspace(1, 1 / cond, k),
    "one large": lambda k, cond: [1.0] + [1 / cond] * (k - 1),
    "one small": lambda k, cond: [1.0] * (k - 1) + [1 / cond],
    "half": lambda k, cond: [1.0] * (k // 2) + [1 / cond] * (k - k // 2),
}


NS_SHAPES = ((20, 200), (48, 480), (64, 576), (576, 64), (48, 64), (32, 32), (2, 128))


def check_newton_schulz(iterations, shapes=NS_SHAPES):
    """In float32 within 1e-3 of the plain float64 iteration, up to condition number 1e7; where the Gram matrix is
    float64 within 2e-4."""
    for rows, cols in shapes:
        k = min(rows, cols)
        tolerance = 2e-4 if k <= 32 and max(rows, cols) > 1.5 * k else 1e-3
        for kind, values in SPECTRA.items():
            for condition in (1e1, 1e3, 1e5, 1e7):
                x = spectrum(rows, cols, values(k, condition)).astype(np.float32)
                for steps in (1, 2, 5, 6):
                    got = iterations.newton_schulz(torch.from_numpy(x)[None], steps)[0]
                    what = f"{steps} steps on {rows}x{cols}, {kind}, condition {condition:.0e}"
                    close(got, formulas.newton_schulz(x, steps), tolerance, what)


def check_precise_gram(iterations):
    """The Gram matrix rounds little enough: one large singular value on long rows is the worst case.

    Four steps multiply the errors of the Gram matrix, some 2^-24 / 2 of it, by a^2 = 12 each: 6e-4 in all. Measured:
    3e-4 to 6.5e-4, with a library as with terms added in turn, the worst order; the iteration promises 1e-3.
    """
    for products in (nullcontext, InTurn):
        for condition in (300, 1000):
            for seed in range(5):
                x = spectrum(64, 320, [1.0] + [1 / condition] * 63, seed).astype(np.float32)
                with products():
                    got = iterations.newton_schulz(torch.from_numpy(x)[None])[0]
                close(got, formulas.newton_schulz(x, 5), 1e-3, f"condition {condition}, seed {seed}, {products}")
    for rows, cols in ((520, 1100), (1100, 520)):
        x = spectrum(rows, cols, [1.0] + [1 / 1000] * 519).astype(np.float32)
        got = iterations.newton_schulz(torch.from_numpy(x)[None])[0]
        close(got, formulas.newton_schulz(x, 5), 1e-3, f"{rows}x{cols}")


def check_parts_of_gram(gram):
    """Rows of ones and then of 2^-9, as long as a part: each part sums up without rounding, all together lose the rest.

    In one sum every 2^-18 after the ones is below half a unit in its last place, some 2^-18 of the whole in the end.
    """
    signs = torch.tensor([1.0, -1.0]).repeat(32)
    for long, ones in ((320, 160), (1100, 367)):
        row = torch.full((long,), 2.0**-9)
        row[:ones] = 1
        x = torch.outer(signs, row)
        expected = (ones + (long - ones) * 2.0**-18) * torch.outer(signs, signs).double()
        for turned in (x, x.mT):
            with InTurn():
                got = gram.grams([turned[None]])[0]
            close(got, expected, 4 * 2.0**-24, f"Gram matrix of {tuple(turned.shape)}")


def check_gram_of_short_side(gram):
    """Up to 32 rows it is float64: what follows a one, 2^-26 each, is lost in float32."""
    row = torch.full((200,), 2.0**-13)
    row[0] = 1
    expected = torch.full((20, 20), 1 + 199 * 2.0**-26, dtype=torch.float64)
    for x in (row.expand(20, 200), row.expand(20, 200).mT):
        with InTurn():
            got = gram.grams([x[None]])[0]
        close(got, expected, 1e-14, f"Gram matrix of {tuple(x.shape)}")


def check_tiny(iterations):
    """Float32 matrices whose squares vanish or overflow, beside one of usual size.

    At 1e-21 squares are subnormal numbers of few digits, or 0 where those are flushed to 0 (training does so); at 2e-18
    only entries of the Gram matrix are, so that one of the two is wrong without rescaling in either mode.
    """
    x = spectrum(40, 90, np.geomspace(1, 0.1, 40)).astype(np.float32)
    stack = torch.stack([torch.from_numpy(x) * scale for scale in (1e-30, 1e-21, 2e-18, 1.0, 1e30)])
    for got in iterations.newton_schulz(stack, eps=0.0):
        close(got, formulas.newton_schulz(x, 5), 1e-3, "scaled matrix")


def check_scalar_map(iterations):
    """F12: where one step takes singular values; the second entry makes the Frobenius norm 1."""
    for s, mapped in [(0.01, 0.034), (0.1, 0.34), (0.3, 0.91), (0.55, 1.20), (0.7, 1.11), (1.0, 0.70)]:
        x = torch.diag(torch.tensor([s, (1 - s * s) ** 0.5], dtype=torch.float64))
        got = iterations.newton_schulz(x[None], steps=1)[0, 0, 0].item()
        assert abs(got - mapped) <= 0.0051, f"f({s}) = {got}, expected {mapped}"
        exact = 3.4445 * s - 4.7750 * s**3 + 2.0315 * s**5
        assert abs(got - exact) <= 1e-6, f"f({s}) = {got}, expected {exact}"


def check_polar_express(iterations, quintics):
    """The constants from their definition, and float32 near the plain float64 iteration."""
    schedule = quintics.POLAR_EXPRESS
    for got, expected in zip(schedule, formulas.polar_express_schedule(7), strict=False):
        close(got, expected, 1e-7, "coefficients")
    assert schedule[-1] == (1.875, -1.25, 0.375)
    for rows, cols in ((20, 200), (200, 20), (32, 32)):
        for kind, values in SPECTRA.items():
            for condition in (1e1, 1e3, 1e7):
                x = spectrum(rows, cols, values(min(rows, cols), condition)).astype(np.float32)
                for steps in (1, 3, 5, 6):
                    got = iterations.newton_schulz(torch.from_numpy(x)[None], steps, schedule)[0]
                    expected = formulas.newton_schulz(x, steps, schedule)
                    what = f"{steps} steps of Polar Express on {rows}x{cols}, {kind}, condition {condition:.0e}"
                    close(got, expected, 1e-3, what)
    x = spectrum(8, 20, np.geomspace(1, 1e-3, 8))
    got = iterations.newton_schulz(torch.from_numpy(x)[None], 10, schedule)[0]
    close(got, formulas.newton_schulz(x, 10, schedule), 1e-9, "more steps than quintics")
