"""Checks of the rules that are as long as Muon: one step from zero, seen as a matrix."""

import numpy as np
import torch

from . import formulas
from .checks import close, draw, run, spectrum

EQUAL_LENGTH = [
    *(("spectral_power", {"power": power}) for power in (0.0, 0.25, 0.5, 0.75, 1.0)),
    *(("random_spectrum", {"seed": seed}) for seed in (0, 1)),
    ("row_normalised", {}),
    ("muon_on", {}),
    ("muon_on", {"names": "w"}),
    ("muon_exact", {}),
]
SHAPES = [(6, 6), (4, 20), (20, 4), (1, 9), (9, 1)]


def direction(build, name, hyper, gradient):
    """What a first step at rate 1 subtracts from a matrix of zeros, without momentum."""
    zero, grad = {"w": torch.zeros(1, *gradient.shape, dtype=torch.float64)}, {"w": torch.from_numpy(gradient)[None]}
    (step,), _ = run(build(name, lr=1.0, momentum=0.0, **hyper), zero, [grad])
    return -step["w"][0].numpy()


def check_lengths(build):
    """sqrt(rank) times Muon's factor of the shape, whatever the spectrum and its rank."""
    for rows, cols in SHAPES:
        full = min(rows, cols)
        for rank in {full, max(1, full // 2)}:
            gradient = spectrum(rows, cols, np.geomspace(1, 1e-2, rank))
            expected = np.sqrt(rank * max(1, rows / cols))
            for name, hyper in EQUAL_LENGTH:
                length = np.linalg.norm(direction(build, name, hyper, gradient))
                assert abs(length / expected - 1) < 1e-9, f"{name} {hyper} {rows}x{cols}, rank {rank}: {length}"


def check_named_layers(build):
    """Muon on the matrices that are named, momentum normalised on the others, Adam on vectors."""
    params, grads = draw(shapes={"a.weight": (5, 8), "a.bias": (5,), "b.weight": (4, 5), "b.bias": (4,)})
    mixed, _ = run(build("muon_on", names=r"^a\."), params, grads)
    exact, _ = run(build("muon_exact"), params, grads)
    other, _ = run(build("spectral_power", power=1.0), params, grads)
    for key, expected in (("a.weight", exact), ("b.weight", other), ("a.bias", exact), ("b.bias", exact)):
        close(mixed[-1][key], expected[-1][key], 1e-9, key)


def check_singular_values(build):
    """The step has the gradient's singular vectors and, up to its length, these singular values."""
    sizes = np.geomspace(1, 1e-2, 4)
    for rows, cols in SHAPES[:3]:
        gradient = spectrum(rows, cols, sizes)
        u, _, vt = np.linalg.svd(gradient, full_matrices=False)
        for power in (0.0, 0.3, 1.0):
            found = u[:, :4].T @ direction(build, "spectral_power", {"power": power}, gradient) @ vt[:4].T
            close(found / found[0, 0], np.diag(sizes**power), 1e-9, f"{rows}x{cols}, power {power}")
        found = u[:, :4].T @ direction(build, "random_spectrum", {}, gradient) @ vt[:4].T
        assert (np.diag(found) > 0).all()
        close(found, np.diag(np.diag(found)), 1e-9, f"{rows}x{cols}, random")


def check_ends_of_the_family(build):
    """Power 0 is Muon with the exact polar factor, power 1 momentum in the Frobenius norm times that length."""
    params, grads = draw()
    for options in ({}, {"nesterov": False, "momentum": 0.8, "weight_decay": 0.3}):
        zero, _ = run(build("spectral_power", power=0.0, **options), params, grads)
        exact, _ = run(build("muon_exact", **options), params, grads)
        for key in params:
            close(zero[-1][key], exact[-1][key], 1e-9, f"{options} {key}")
    gradient = spectrum(5, 3, [3.0, 2.0, 1.0])
    expected = np.sqrt(3) * np.sqrt(5 / 3) * formulas.frobenius(gradient)
    close(direction(build, "spectral_power", {"power": 1.0}, gradient), expected, 1e-9, "power 1")
