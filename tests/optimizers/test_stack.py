"""The stacked, pure core: models do not see each other, arguments stay, a saved state goes on unchanged."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from muon_imbalance import optimizers
from muon_imbalance.common.errors import UserError

from . import checks

EACH = pytest.mark.parametrize("name", optimizers.names())


@EACH
def test_stack_equals_models_run_one_by_one(name):
    checks.check_stack(optimizers.build, name)


@EACH
def test_one_number_equals_the_same_number_for_every_model(name):
    params, grads = checks.draw()
    one, _ = checks.run(optimizers.build(name, lr=0.03), params, grads)
    three, _ = checks.run(optimizers.build(name, lr=torch.full((3,), 0.03, dtype=torch.float64)), params, grads)
    for key in params:
        checks.close(three[-1][key], one[-1][key], 1e-13, f"{name} {key}")


@EACH
def test_parameters_of_equal_shape_move_as_each_alone(name):
    checks.check_grouping(optimizers.build, (name,))


@EACH
def test_arguments_are_not_changed(name):
    checks.check_pure(optimizers.build, name)


@EACH
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_zero_gradient_moves_nothing(name, dtype):
    checks.check_zero_gradient(optimizers.build, name, dtype)


def test_zero_gradient_with_adam_without_eps():
    params, _ = checks.draw()
    zeros = {key: torch.zeros_like(value) for key, value in params.items()}
    history, _ = checks.run(optimizers.build("adam", eps=0.0), params, [zeros])
    assert all(torch.equal(history[0][key], params[key]) for key in params)


@EACH
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32], ids=str)
def test_saved_state_goes_on_as_if_never_saved(name, dtype, tmp_path):
    params, grads = checks.draw(steps=6, dtype=dtype)
    whole, whole_state = checks.run(optimizers.build(name), params, grads)
    half, state = checks.run(optimizers.build(name), params, grads[:3])
    save_file(state, tmp_path / "state.safetensors")
    loaded = load_file(tmp_path / "state.safetensors")
    resumed, resumed_state = checks.run(optimizers.build(name), half[-1], grads[3:], loaded)
    assert all(torch.equal(resumed[-1][key], whole[-1][key]) for key in params)
    assert resumed_state.keys() == whole_state.keys()
    assert all(torch.equal(resumed_state[key], whole_state[key]) for key in whole_state)


@EACH
def test_state_keys_name_slot_and_parameter(name):
    params, _ = checks.draw()
    state = optimizers.build(name).init(params)
    slots = {key.partition("/") for key in state if key != "count"}
    assert all(parameter in params for _, _, parameter in slots)
    known = {"momentum", "exp_avg", "exp_avg_sq", "left.0.0", "right.0.0"}
    assert {slot for slot, _, _ in slots} <= known
    new_state = optimizers.build(name).step(params, params, state)[1]
    assert {key: (value.shape, value.dtype) for key, value in new_state.items()} == {
        key: (value.shape, value.dtype) for key, value in state.items()
    }


@EACH
def test_a_diverged_model_leaves_the_others_alone(name):
    params, grads = checks.draw()
    expected, _ = checks.run(optimizers.build(name), params, grads)
    grads[1]["wide"][1] = torch.nan
    grads[2]["tall"][1] = torch.inf
    history, _ = checks.run(optimizers.build(name), params, grads)
    for key in params:
        checks.close(history[-1][key][[0, 2]], expected[-1][key][[0, 2]], 1e-12, f"{name} {key}")


@EACH
def test_parameters_that_require_grad_give_plain_tensors(name):
    params, grads = checks.draw(steps=1)
    leaves = {key: value.clone().requires_grad_() for key, value in params.items()}
    history, state = checks.run(optimizers.build(name), leaves, grads)
    assert not any(tensor.requires_grad for tensor in [*history[0].values(), *state.values()])


@EACH
def test_order_of_parameters_is_kept(name):
    params, grads = checks.draw(steps=1)
    assert list(checks.run(optimizers.build(name), params, grads)[0][0]) == list(params)


def test_wrong_stack_is_told():
    params, grads = checks.draw()
    with pytest.raises(UserError, match=r"lr has 2 values, allowed: 1 or one per model, here 3"):
        checks.run(optimizers.build("ngd", lr=torch.tensor([0.1, 0.2])), params, grads)


def test_gradients_of_other_parameters_are_told():
    params, grads = checks.draw()
    optimizer = optimizers.build("nmd")
    short = {key: value for key, value in grads[0].items() if key != "tall"}
    with pytest.raises(UserError, match="only one of them has: tall"):
        optimizer.step(params, short, optimizer.init(params))
    turned = grads[0] | {"tall": grads[0]["tall"].mT}
    with pytest.raises(UserError, match=r"parameter tall has shape \(3, 11, 4\), its gradient \(3, 4, 11\)"):
        optimizer.step(params, turned, optimizer.init(params))


def test_state_of_another_optimizer_is_told():
    params, grads = checks.draw()
    with pytest.raises(UserError, match="optimizer state has no 'momentum/wide'"):
        optimizers.build("nmd").step(params, grads[0], {})
    with pytest.raises(UserError, match="optimizer state has no 'count'"):
        optimizers.build("adam").step(params, grads[0], {})
