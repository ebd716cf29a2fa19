"""Fine-tuning the upper part of a pretrained network on features: what its frozen lower part gives, computed once.

A data set's ``load`` gives ``features [1, n, ...]``, or ``jpeg_bytes`` and ``jpeg_ends`` where nothing is frozen,
``label [1, n]``, ``group [1, n]`` and ``groups``, its ``weights`` the pretrained weights by the names of the module;
the classifier starts as the module draws it.
"""

from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from muon_imbalance.common.settings import Field
from muon_imbalance.data.photos.celeba import decoded
from muon_imbalance.models.modules import pretrained_weights
from muon_imbalance.training.groups import Groups
from muon_imbalance.training.minibatch import Split
from muon_imbalance.training.options import Clocked, Evaluated, Needs
from muon_imbalance.training.tasks.minibatch_classification import Network

NEEDS = Needs(minibatch=True, dataset=True, builders=["image_features", "portraits", "text_features"], models="modules")
DRAWN = ("classifier.weight", "classifier.bias", "fc.weight", "fc.bias")
"""What is new in every run: its classes are not those of the pretraining."""


class Options(Clocked):
    """Fine-tuning the upper part of a pretrained network on features."""

    metrics: list[Literal["group_loss"]] = Field([], description="measured beside accuracies")
    evaluate: Evaluated = Field(description="splits that are evaluated")


class Features:
    """Features ``[n, ...]`` on the device; those that are not numbers of pieces in the type that is trained in."""

    def __init__(self, values: Tensor, dtype: torch.dtype):
        self.values = values.to(dtype if values.is_floating_point() else torch.int32)
        maps = values.ndim == 4 and values.is_floating_point()  # [n, channels, rows, columns]
        self.layout = torch.channels_last if maps else torch.contiguous_format

    @property
    def shape(self) -> torch.Size:
        """Shape of one sample."""
        return self.values.shape[1:]

    def read(self, which: Tensor | slice) -> Tensor:
        """Features of these samples."""
        chosen = self.values[which if isinstance(which, slice) else which.to(self.values.device)]
        return chosen.contiguous(memory_format=self.layout)


class Pictures:
    """JPEG files, decoded when they are read: cropped, resized, standardised with ImageNet's statistics.

    Args:
        data: bytes of all files; ``ends``: where each ends.
    """

    CROP, SIDE = 178, 224
    MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)

    def __init__(self, data: np.ndarray, ends: np.ndarray, dtype: torch.dtype, device: torch.device):
        self.data, self.ends, self.dtype, self.device = data, np.concatenate([[0], ends]), dtype, device
        self.shape = torch.Size((3, self.SIDE, self.SIDE))

    def read(self, which: Tensor | slice) -> Tensor:
        """Pictures ``[m, 3, SIDE, SIDE]`` of these samples."""
        numbers = range(len(self.ends) - 1)[which] if isinstance(which, slice) else which.tolist()
        files = [self.data[self.ends[i] : self.ends[i + 1]] for i in numbers]
        images = torch.from_numpy(np.stack([decoded(file, self.CROP, self.SIDE) for file in files])).to(self.device)
        mean, std = (torch.tensor(values, device=self.device) for values in (self.MEAN, self.STD))
        return ((images / 255 - mean) / std).to(self.dtype).permute(0, 3, 1, 2)


class FeatureNetwork(Network):
    """The upper part of a network, on what its lower part gives; only the classifier is drawn."""

    def split(self, name: str) -> Split:
        """Features (or pictures) of one split; the same in every repetition."""
        arrays = self.builder.load(self.data, name)
        self.group_names = tuple(str(group) for group in arrays["groups"])
        label, group = (torch.from_numpy(arrays[key][0]).long().to(self.device) for key in ("label", "group"))
        if "jpeg_bytes" in arrays:
            inputs = Pictures(arrays["jpeg_bytes"][0], arrays["jpeg_ends"][0], self.dtype, self.device)
        else:
            inputs = Features(torch.from_numpy(arrays["features"][0]).to(self.device), self.dtype)
        return Split(inputs, label, group)

    def named(self) -> Groups:
        """Groups as the arrays name them."""
        return Groups(self.group_names)

    def inputs_of(self, which: Tensor, rng: torch.Generator) -> Tensor:
        """Features of a batch, as they are."""
        return self.train.inputs.read(which)

    def make(self) -> nn.Module:
        """The model with its pretrained weights."""
        return pretrained(super().make(), self.builder.weights(self.data))


def pretrained(module: nn.Module, weights: dict[str, np.ndarray]) -> nn.Module:
    """``module`` with pretrained weights everywhere but in its classifier.

    Raises:
        UserError: they do not fit (:func:`muon_imbalance.models.modules.pretrained_weights.fill`).
    """
    return pretrained_weights.fill(module, {name: torch.from_numpy(x) for name, x in weights.items()}, DRAWN)


TASK = FeatureNetwork
