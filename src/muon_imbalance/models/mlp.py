"""Multi-layer perceptron with ReLU (App. D.1), PyTorch's default initialisation."""

import torch
from torch import Tensor

from muon_imbalance.models.chain import Chain


class MLP(Chain):
    """Layers ``features -> hidden[0] -> ... -> classes`` with biases."""

    def __init__(self, features: int, hidden: list[int], classes: int):
        widths = [features, *hidden, classes]
        super().__init__(list(zip(widths[:-1], widths[1:], strict=True)), bias=True)

    def init(self, generators: list[torch.Generator], dtype: torch.dtype) -> dict[str, Tensor]:
        """Uniform in ``+-1/sqrt(fan_in)`` for weights and biases, each model from its own generator."""
        models = []
        for rng in generators:
            model = {}
            for i, (fan_in, out) in enumerate(self.sizes):
                for name, shape in (("weight", (out, fan_in)), ("bias", (out,))):
                    drawn = torch.rand(shape, generator=rng, dtype=torch.float64)
                    model[f"layers.{i}.{name}"] = ((2 * drawn - 1) / fan_in**0.5).to(dtype)
            models.append(model)
        return {name: torch.stack([model[name] for model in models]) for name in models[0]}


def build(config: dict, features: int, classes: int) -> MLP:
    """An MLP from ``{hidden: [widths]}``."""
    return MLP(features, [int(width) for width in config["hidden"]], classes)
