"""Odd polynomials a s + b s^3 + c s^5 that the iterations of ``newton_schulz`` apply to singular values."""

Quintic = tuple[float, float, float]

COEFFICIENTS: tuple[Quintic, ...] = ((3.4445, -4.7750, 2.0315),)  # Keller Jordan's quintic, steep at 0

_EXPRESS: tuple[Quintic, ...] = (
    (8.28721201814563, -23.595886519098837, 17.300387312530933),
    (4.107059111542203, -2.9478499167379106, 0.5448431082926601),
    (3.9486908534822946, -2.908902115962949, 0.5518191394370137),
    (3.3184196573706015, -2.488488024314874, 0.51004894012372),
    (2.300652019954817, -1.6689039845747493, 0.4188073119525673),
    (1.891301407787398, -1.2679958271945868, 0.37680408948524835),
    (1.8750014808534479, -1.2500016453999487, 0.3750001645474248),
    (1.875, -1.25, 0.375),
)


def _shrunk(polynomial: Quintic, factor: float) -> Quintic:
    """The quintic of s / factor."""
    return tuple(value / factor ** (2 * i + 1) for i, value in enumerate(polynomial))


# Every polynomial but the last sees 1 % smaller values, so that rounding cannot push one out of its interval;
# the first a further 1 %, which is the published normalisation by 1.01 ||X||_F.
POLAR_EXPRESS = (
    _shrunk(_EXPRESS[0], 1.01**2), *(_shrunk(quintic, 1.01) for quintic in _EXPRESS[1:-1]), _EXPRESS[-1]
)  # fmt: skip
"""Each quintic is the best one in the maximum norm for the interval the last one left, first [0.001, 1] (Amsel,
Persson, Musco and Gower 2025, "The Polar Express", Algorithm 1, with its published constants)."""
