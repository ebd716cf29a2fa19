"""Muon's controls of equal length: powers of the spectrum, random spectra, equal rows, Muon on some layers."""

import numpy as np
import torch

from muon_imbalance import optimizers
from muon_imbalance.optimizers.geometry import spectra

from . import checks, spectra_checks


def test_all_steps_are_as_long_as_muons():
    spectra_checks.check_lengths(optimizers.build)


def test_the_family_ends_at_muon_and_at_normalised_momentum():
    spectra_checks.check_ends_of_the_family(optimizers.build)


def test_singular_vectors_stay_and_values_are_those_asked_for():
    spectra_checks.check_singular_values(optimizers.build)


def test_muon_goes_to_the_named_layers():
    spectra_checks.check_named_layers(optimizers.build)


def test_the_power_of_each_model_of_a_stack_is_its_own():
    params, grads = checks.draw()
    powers = torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64)
    stacked, _ = checks.run(optimizers.build("spectral_power", power=powers), params, grads)
    for model, power in enumerate(powers.tolist()):
        alone = [{key: value[model : model + 1] for key, value in tensors.items()} for tensors in (params, *grads)]
        expected, _ = checks.run(optimizers.build("spectral_power", power=power), alone[0], alone[1:])
        for key in params:
            checks.close(stacked[-1][key][model : model + 1], expected[-1][key], 1e-11, f"{key}, power {power}")


def test_spectra_are_drawn_anew_at_every_step_and_again_alike():
    gradient = checks.spectrum(4, 6, [4.0, 3.0, 2.0, 1.0])
    grad = {"w": torch.from_numpy(gradient)[None]}
    zero = {"w": torch.zeros_like(grad["w"])}
    made = [checks.run(optimizers.build("random_spectrum", momentum=0.0, lr=1.0, seed=s), zero, [grad] * 2)[0]
            for s in (0, 0, 1)]  # fmt: skip
    first, second = made[0][0]["w"], made[0][1]["w"] - made[0][0]["w"]
    assert (first - second).abs().max() > 0.01
    assert torch.equal(made[1][1]["w"], made[0][1]["w"])
    assert (made[2][1]["w"] - made[0][1]["w"]).abs().max() > 0.01


def test_a_row_of_zeros_stays_and_the_others_share_the_length():
    x = torch.from_numpy(checks.spectrum(5, 7, [3.0, 2.0, 1.0])[None])
    x[:, 2] = 0
    found = spectra.equal_rows(x)[0].numpy()
    lengths = np.linalg.norm(found, axis=1)
    rank = np.linalg.matrix_rank(x[0].numpy(), tol=1e-6)
    np.testing.assert_allclose(lengths, np.sqrt(rank / 4) * np.array([1, 1, 0, 1, 1]), rtol=1e-9)


def test_a_matrix_that_is_not_finite_is_nan_and_alone_so():
    x = torch.from_numpy(np.stack([checks.spectrum(4, 6, [3.0, 2.0, 1.0], seed) for seed in range(3)]))
    x[1, 0, 0] = torch.inf
    for found in (spectra.reweighted(x, torch.ones_like), spectra.equal_rows(x)):
        assert found[1].isnan().all()
        assert found[[0, 2]].isfinite().all()
