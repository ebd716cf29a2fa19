"""Random numbers of training: one generator per purpose, seeded by name."""

import torch

from muon_imbalance.common.seeding import stable_seed


def generator(*parts: str | int) -> torch.Generator:
    """A generator that depends on nothing but ``parts``, such as (experiment, data set, purpose, repetition)."""
    return torch.Generator().manual_seed(stable_seed(*parts) % 2**63)
