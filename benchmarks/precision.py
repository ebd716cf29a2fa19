"""The public implementations in full precision: their own code with only its casts to half precision taken out.

torch.optim.Muon and Keller Jordan's code call Tensor.bfloat16, pytorch-optimizer passes a dtype whose default is
a half one. Nothing on disk is touched, and everything is put back.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from unittest.mock import patch

import torch
from pytorch_optimizer.optimizer.muon import base


@contextmanager
def half_precision_taken_out(dtype: torch.dtype = torch.float64) -> Iterator[None]:
    """Inside, a cast to bfloat16 is a copy and pytorch-optimizer's iterations run in `dtype`."""
    names = ("zero_power_via_newton_schulz_5", "zero_power_via_gram_newton_schulz")
    full = {name: partial(getattr(base, name), dtype=dtype) for name in names}
    with patch.multiple(base, **full), patch.object(torch.Tensor, "bfloat16", torch.Tensor.clone):
        yield
