"""The checks bite: break one formula, and the property that watches it fails."""

import pytest

from muon_imbalance.theory import bounds, flows, losses, moments, trajectories
from muon_imbalance.theory.tables import controls
from tests.theory import simulate
from tests.theory import test_bounds as bound_checks
from tests.theory import test_flows as flow_checks
from tests.theory import test_moments as moment_checks
from tests.theory import test_trajectories as trajectory_checks
from tests.theory.theory_draws import FIG2, broken


def lemma():
    moment_checks.test_lemma_3_1_on_a_sample(FIG2)


def sampled_losses():
    moment_checks.test_class_losses_on_a_sample(FIG2)


MUTATIONS = {
    "GD with twice the rate": (
        trajectories,
        "(1 - lr * s_xx) ** t",
        "(1 - 2 * lr * s_xx) ** t",
        trajectory_checks.test_gd_equals_the_simulation,
    ),
    "GD with the wrong target": (
        trajectories,
        "return s_yx / s_xx * (1 - (1 - lr",
        "return s_yx * (1 - (1 - lr",
        trajectory_checks.test_gd_equals_the_simulation,
    ),
    "r without the noise": (
        moments,
        "mixture.mu**2 * p + mixture.sigma2",
        "mixture.mu**2 * p",
        moment_checks.test_moments_solve_the_least_squares_problem,
    ),
    "Sigma_xx without the noise": (moments, "mixture.mu**2 * p + mixture.sigma2", "mixture.mu**2 * p", lemma),
    "Sigma_yx with mu squared": (moments, "s_yx = mixture.mu * p", "s_yx = mixture.mu**2 * p * 1.1", lemma),
    "losses without 1/2 (sample)": (
        simulate,
        "return 0.5 * (np.sum(residual",
        "return (np.sum(residual",
        sampled_losses,
    ),
    "losses without 1/2 (identity)": (
        simulate,
        "return 0.5 * (np.sum(residual",
        "return (np.sum(residual",
        moment_checks.test_class_losses_add_up_to_the_population_loss,
    ),
    "diagonal losses without 1/2": (
        losses,
        "return 0.5 * ((1 -",
        "return ((1 -",
        moment_checks.test_losses_of_a_diagonal_matrix_and_their_groups,
    ),
    "balanced loss as a sum": (
        losses,
        "np.mean(losses, axis=-1)",
        "np.sum(losses, axis=-1)",
        moment_checks.test_losses_of_a_diagonal_matrix_and_their_groups,
    ),
    "SpecGD with the wrong sign": (
        trajectories,
        "(start + lr * (np.minimum",
        "(start - lr * (np.minimum",
        trajectory_checks.test_specgd_equals_the_simulation_if_the_targets_are_whole_steps,
    ),
    "SpecGD as worded everywhere": (
        trajectories,
        "    if not exact:\n",
        "    if True:\n",
        trajectory_checks.test_specgd_alternates_for_ever,
    ),
    "SpecGD one step late": (
        trajectories,
        "np.ceil(length)",
        "np.ceil(length) + 1",
        trajectory_checks.test_specgd_alternates_around_targets_between_two_steps,
    ),
    "deep SpecGD without its root": (
        trajectories,
        "target = math.exp(-delta), r ** (1.0 / depth)",
        "target = math.exp(-delta), r",
        trajectory_checks.test_deep_specgd_equals_the_simulation,
    ),
    "deep SpecGD from zero": (
        trajectories,
        "start, target = math.exp(-delta), ",
        "start, target = 0.0, ",
        trajectory_checks.test_deep_specgd_stays_at_targets_that_are_whole_steps,
    ),
    "saturation without the root": (
        trajectories,
        "return (r ** (1.0 / depth) - math",
        "return (r - math",
        trajectory_checks.test_deep_specgd_stays_at_targets_that_are_whole_steps,
    ),
    "gap without the root": (
        trajectories,
        "** (1.0 / depth) - 1\n",
        "- 1\n",
        trajectory_checks.test_relative_saturation_gap_falls_with_depth,
    ),
    "bilinear GF at half the rate": (
        trajectories,
        "np.exp(-2 * s_yx",
        "np.exp(-s_yx",
        trajectory_checks.test_bilinear_gf_is_the_limit_of_gd_on_two_layers,
    ),
    "deep GD without the other layers": (
        trajectories,
        "lr * a ** (depth - 1) *",
        "lr *",
        trajectory_checks.test_deep_gd_equals_the_simulation,
    ),
    "NGD with the l1 norm": (
        trajectories,
        "np.linalg.norm(g)",
        "np.linalg.norm(g, 1)",
        trajectory_checks.test_ngd_equals_the_simulation_until_it_arrives,
    ),
    "a simulator that climbs": (
        simulate,
        "w[now + 1] = w[now] - lr",
        "w[now + 1] = w[now] + lr",
        trajectory_checks.test_gd_equals_the_simulation,
    ),
    "an absolute cut-off": (
        simulate,
        "max(CUTOFF * s[0], noise)",
        "1e-12",
        trajectory_checks.test_deep_specgd_equals_the_simulation,
    ),
    "no cut-off for rounding noise": (
        simulate,
        "max(CUTOFF * s[0], noise)",
        "0",
        trajectory_checks.test_specgd_equals_the_simulation_if_the_targets_are_whole_steps,
    ),
    "GF with the wrong rate": (
        flows,
        "-np.expm1(-s_xx *",
        "-np.expm1(-s_yx *",
        flow_checks.test_gf_solves_its_equation,
    ),
    "NGF with the clock of GF": (
        flows,
        "    return gf(tau, s_xx, s_yx)",
        "    return gf(t, s_xx, s_yx)",
        flow_checks.test_ngf_solves_its_equation,
    ),
    "NGF that never arrives": (
        flows,
        "last = 1e-3 / np.max(s_xx), 40.0",
        "last = 1e-3 / np.max(s_xx), 4.0",
        flow_checks.test_ngf_moves_along_the_path_of_gf_at_unit_speed_and_arrives,
    ),
    "SpecGF slowed by k": (
        flows,
        "** -0.5",
        "** -1.0",
        bound_checks.test_slowed_specgf_leads_only_with_imbalance,
    ),
    "a constant that is too good": (
        bounds,
        '"theorem1": {"minority": 1 / 4, "balanced": 1 / 2}',
        '"theorem1": {"minority": 1.0, "balanced": 1 / 2}',
        bound_checks.test_no_theorem_is_violated_inside_its_conditions,
    ),
    "theorem 2 without k >= 9": (
        bounds,
        '"k >= 9": lambda m: _at_least(m.k, 9)',
        '"k >= 9": lambda m: _at_least(m.k, 0)',
        bound_checks.test_no_theorem_is_violated_inside_its_conditions,
    ),
    "a rate without its x": (
        bounds,
        "1 - k**-0.5 - x",
        "1 - x",
        bound_checks.test_the_proved_rates_hold_for_every_mixture,
    ),
    "x without its k": (
        bounds,
        "return p * (mixture.snr + mixture.k) /",
        "return p * mixture.snr /",
        bound_checks.test_the_odd_constant_is_one_sixth,
    ),
    "gaps with the wrong sign": (
        controls,
        "behind[part] - ahead[part]",
        "ahead[part] - behind[part]",
        bound_checks.test_the_proved_rates_hold_for_every_mixture,
    ),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_broken_formula_is_noticed(name):
    module, old, new, check = MUTATIONS[name]
    with broken(module, old, new), pytest.raises((AssertionError, ValueError)):
        check()


@pytest.mark.parametrize("name", MUTATIONS)
def test_the_formulas_are_restored(name):
    module, old, new, _ = MUTATIONS[name]
    before = dict(vars(module))
    with broken(module, old, new):
        pass
    assert vars(module) == before


def test_a_mutation_of_nothing_is_refused():
    with pytest.raises(AssertionError, match="tests nothing"), broken(losses, "no such text", ""):
        pass
