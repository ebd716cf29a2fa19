"""Training sets a mode of the processor (denormal numbers are 0); other tests must not inherit it."""

import pytest
import torch


@pytest.fixture(autouse=True)
def denormal_numbers_again():
    yield
    torch.set_flush_denormal(False)
