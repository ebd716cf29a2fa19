"""Products of matrices as the plainest library makes them, so that the same numbers are rounded on every processor."""

import torch
from torch.overrides import TorchFunctionMode


class InTurn(TorchFunctionMode):
    """While it is on, float32 products of batches add one term after the other, each rounded.

    Libraries split such sums by the width of the processor's registers, so how much they lose is theirs. Here whatever
    is below half a unit in the last place of the sum so far is lost, for certain. A product put into one of its own
    factors, which a library may or may not get right, is an error.
    """

    def __torch_function__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if function is torch.bmm and args[0].dtype == torch.float32:
            found, out = product(*args), kwargs.get("out")
            assert out is None or all(out.data_ptr() != factor.data_ptr() for factor in args), "put into its own factor"
            return found if out is None else out.copy_(found)
        if function is torch.Tensor.baddbmm_ and args[0].dtype == torch.float32:
            total, left, right = args
            return total.mul_(kwargs.get("beta", 1)).add_(product(left, right), alpha=kwargs.get("alpha", 1))
        return function(*args, **kwargs)


def product(left: torch.Tensor, right: torch.Tensor) -> torch.Tensor:
    """Of [S, m, k] and [S, k, n]: multiplication and addition are kernels of their own, so nothing is fused."""
    total = left.new_zeros(left.shape[0], left.shape[1], right.shape[2])
    for column, row in zip(left.unbind(2), right.unbind(1), strict=True):
        total += column[:, :, None] * row[:, None, :]
    return total
