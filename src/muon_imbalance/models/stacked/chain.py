"""Linear layers with ReLU in between, stacked over models, with their cross-entropy gradient written out.

The gradient is that of backpropagation. Written out, it adds into one buffer per parameter and reuses the activations'
memory, which on a CPU takes about two thirds of the time of automatic differentiation (a test compares the two).
"""

import torch
from torch import Tensor

from muon_imbalance.models.stacked import heads
from muon_imbalance.models.stacked.inputs import Inputs, fold, unfold

Layers = list[tuple[Tensor, Tensor | None]]
"""Weight ``[S, out, in]`` and bias ``[S, out]`` of each layer, or their gradients."""


class Chain(heads.Stack):
    """Layers of ``sizes`` (pairs in, out); parameters ``layers.<i>.weight [S, out, in]`` and ``.bias [S, out]``."""

    def __init__(self, sizes: list[tuple[int, int]], bias: bool):
        self.sizes, self.bias = sizes, bias

    def _layers(self, params: dict[str, Tensor], inputs: Inputs) -> tuple[Tensor, Layers]:
        """Stored inputs and the layers that act on them (the first one folded)."""
        layers = [(params[f"layers.{i}.weight"], params.get(f"layers.{i}.bias")) for i in range(len(self.sizes))]
        stored, *first = fold(inputs, *layers[0])
        return stored, [tuple(first), *layers[1:]]

    def _forward(self, layers: Layers, hidden: Tensor) -> list[Tensor]:
        """Input of every layer (after ReLU), then the logits."""
        activations = [hidden]
        for i, (weight, bias) in enumerate(layers):
            if bias is None:
                hidden = torch.bmm(hidden, weight.mT)
            else:
                hidden = torch.baddbmm(bias.unsqueeze(1), hidden, weight.mT)
            if i < len(layers) - 1:
                hidden.relu_()
            activations.append(hidden)
        return activations

    def _sums(self, layers: Layers) -> Layers:
        return [(torch.zeros_like(w), None if b is None else torch.zeros_like(b)) for w, b in layers]

    def _backward(self, layers: Layers, activations: list[Tensor], delta: Tensor, sums: Layers, grads) -> None:
        for i in range(len(layers) - 1, -1, -1):
            weight, bias = sums[i]
            weight.baddbmm_(delta.mT, activations[i])
            if bias is not None:
                bias += delta.sum(1)
            if i > 0:
                delta = heads.relu_backward_(torch.bmm(delta, layers[i][0]), activations[i])

    def _collect(self, inputs: Inputs, sums: Layers, grads: dict[str, Tensor]) -> None:
        for i, (weight, bias) in enumerate(sums):
            if f"layers.{i}.weight" not in grads:  # a fixed layer
                continue
            grads[f"layers.{i}.weight"] += unfold(inputs, weight, bias) if i == 0 else weight
            if self.bias:
                grads[f"layers.{i}.bias"] += bias
