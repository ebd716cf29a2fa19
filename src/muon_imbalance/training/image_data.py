"""Images as a network reads them: random crops and flips on tensors, then per-channel standardisation."""

import torch
import torch.nn.functional as F
from torch import Tensor

from muon_imbalance.training.options import Augment


def crop_and_flip(images: Tensor, pad: int, flip: bool, rng: torch.Generator) -> Tensor:
    """Each image moved by up to ``pad`` pixels in either direction (0 comes in), and mirrored with probability 1/2.

    Args:
        images: ``[m, H, W, C]``.
        rng: on the CPU.
    """
    m, height, width, _ = images.shape
    row, column = torch.randint(0, 2 * pad + 1, (2, m), generator=rng)
    mirrored = torch.rand(m, generator=rng) < 0.5 if flip else torch.zeros(m, dtype=torch.bool)
    rows = row[:, None] + torch.arange(height)
    columns = torch.where(mirrored[:, None], torch.arange(width).flip(0), torch.arange(width)) + column[:, None]
    padded = F.pad(images, (0, 0, pad, pad, pad, pad)) if pad else images
    where = (torch.arange(m)[:, None, None], rows[:, :, None], columns[:, None, :])
    return padded[tuple(index.to(images.device) for index in where)]


class Images:
    """Images ``[n, H, W, C]`` in the type they are stored in, read out as float ``[m, C, H, W]`` (channels last).

    Args:
        mean, std: of each channel ``[C]``, in the units of the stored values.
    """

    def __init__(self, values: Tensor, mean: Tensor, std: Tensor, dtype: torch.dtype):
        self.values, self.dtype = values, dtype
        self.scale, self.shift = (1 / std).to(dtype), (mean / std).to(dtype)

    def __len__(self) -> int:
        return len(self.values)

    @property
    def shape(self) -> tuple[int, int, int]:
        """``(C, H, W)``."""
        _, height, width, channels = self.values.shape
        return channels, height, width

    def read(self, which: Tensor | slice) -> Tensor:
        """Images as they are."""
        return self._standardised(self.values[which])

    def augmented(self, which: Tensor, augment: Augment, rng: torch.Generator) -> Tensor:
        """Images after :func:`crop_and_flip`."""
        images = self.values[which.to(self.values.device)]
        if augment.crop or augment.flip:
            images = crop_and_flip(images, augment.crop, augment.flip, rng)
        return self._standardised(images)

    def _standardised(self, images: Tensor) -> Tensor:
        return (images.to(self.dtype) * self.scale - self.shift).permute(0, 3, 1, 2)
