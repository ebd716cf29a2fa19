"""Fine-tuning the upper part of a pretrained network on features: what its frozen lower part gives, computed once.

A data set's ``load`` gives ``features [1, n, ...]``, or ``jpeg_bytes`` and ``jpeg_ends`` where nothing is frozen,
``label [1, n]``, ``group [1, n]`` and ``groups``, its ``weights`` the pretrained weights by the names of the module;
the classifier starts as the module draws it.
"""

import json
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import registry as data_sets
from muon_imbalance.data.photos.celeba import decoded
from muon_imbalance.models import registry as models
from muon_imbalance.plan.job import Job
from muon_imbalance.training.minibatch import Minibatch
from muon_imbalance.training.tasks.network import Network

DRAWN = ("classifier.weight", "classifier.bias", "fc.weight", "fc.bias")
"""What is new in every run: its classes are not those of the pretraining."""


def stackable(settings: dict) -> str:
    """Models are trained one by one."""
    return json.dumps(settings, sort_keys=True)


def build(settings: list[dict], job: Job, seeds: list[int], data: Path) -> "FeatureNetwork":
    """The task of one model."""
    return FeatureNetwork(settings[0], job, seeds[0], data)


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
        chosen = self.values[which if isinstance(which, slice) else which.to(self.values.device)]
        return chosen.contiguous(memory_format=self.layout)

    def augmented(self, which: Tensor, augment: dict, rng: torch.Generator) -> Tensor:
        """Features are not changed."""
        return self.read(which)


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
        numbers = range(len(self.ends) - 1)[which] if isinstance(which, slice) else which.tolist()
        files = [self.data[self.ends[i] : self.ends[i + 1]] for i in numbers]
        images = torch.from_numpy(np.stack([decoded(file, self.CROP, self.SIDE) for file in files])).to(self.device)
        mean, std = (torch.tensor(values, device=self.device) for values in (self.MEAN, self.STD))
        return ((images / 255 - mean) / std).to(self.dtype).permute(0, 3, 1, 2)

    def augmented(self, which: Tensor, augment: dict, rng: torch.Generator) -> Tensor:
        """Pictures are not changed."""
        return self.read(which)


class Split:
    """Samples of one split: inputs, class ``targets [n]`` and ``groups [n]``, on the device."""

    def __init__(self, arrays: dict, dtype: torch.dtype, device: torch.device):
        if "jpeg_bytes" in arrays:
            self.inputs = Pictures(arrays["jpeg_bytes"][0], arrays["jpeg_ends"][0], dtype, device)
        else:
            self.inputs = Features(torch.from_numpy(arrays["features"][0]).to(device), dtype)
        label, group = (torch.from_numpy(arrays[name][0]) for name in ("label", "group"))
        self.targets, self.groups = label.long().to(device), group.long().to(device)


def pretrained(module: nn.Module, weights: dict) -> nn.Module:
    """``module`` with the weights that are given.

    Raises:
        UserError: one has no place in the module or another shape, or one that is not drawn anew is missing.
    """
    own = module.state_dict()
    given = {name: value for name, value in weights.items() if name not in DRAWN}
    for name in sorted(set(given) | set(own) - set(DRAWN)):
        found = [tuple(held[name].shape) if name in held else "nothing" for held in (given, own)]
        if found[0] != found[1]:
            raise UserError(f"pretrained weights: {name} is {found[0]}, in the model {found[1]}; they must agree")
    module.load_state_dict({name: torch.from_numpy(value) for name, value in given.items()}, strict=False)
    return module


class FeatureNetwork(Network):
    """Task: ``settings`` are ``dataset``, ``model``, ``metrics`` and ``evaluate``, as in :class:`Network`."""

    def __init__(self, settings: dict, job: Job, seed: int, data: Path):
        dataset = settings["dataset"]
        module, names = data_sets.module(dataset["builder"]), ("train", *settings["evaluate"])
        dtype, device = getattr(torch, job.dtype), torch.device(job.device)
        held = {name: module.load(data, name) for name in names}
        self.train, *rest = (Split(held[name], dtype, device) for name in names)
        self.splits = dict(zip(settings["evaluate"], rest, strict=True))
        self.metrics, self.augment, self.chunk, self.sets = set(settings["metrics"]), {}, job.chunk, {}
        self.group_names = tuple(str(name) for name in held["train"]["groups"])
        make = models.load(settings["model"]["name"]).build
        Minibatch.__init__(
            self, job, dataset["name"], seed, len(self.train.targets),
            lambda: pretrained(make(settings["model"], self.train.inputs.shape, module.classes(dataset["config"])),
                               module.weights(data)),
        )  # fmt: skip
