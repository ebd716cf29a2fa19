"""Linear layers with ReLU in between, stacked over models, with their cross-entropy gradient written out.

The gradient is that of backpropagation. Written out, it adds into one buffer per parameter and reuses the activations'
memory, which on a CPU takes about two thirds of the time of automatic differentiation (a test compares the two).
"""

from collections.abc import Iterator

import torch
from torch import Tensor

from muon_imbalance.models.stacked import heads
from muon_imbalance.models.stacked.inputs import Inputs, fold, unfold


class Chain:
    """Layers of ``sizes`` (pairs in, out); parameters ``layers.<i>.weight [S, out, in]`` and ``.bias [S, out]``."""

    def __init__(self, sizes: list[tuple[int, int]], bias: bool):
        self.sizes, self.bias = sizes, bias

    def _layers(self, params: dict[str, Tensor], inputs: Inputs) -> tuple[Tensor, list[tuple[Tensor, Tensor | None]]]:
        """Stored inputs and the layers that act on them (the first one folded)."""
        layers = [(params[f"layers.{i}.weight"], params.get(f"layers.{i}.bias")) for i in range(len(self.sizes))]
        stored, *first = fold(inputs, *layers[0])
        return stored, [tuple(first), *layers[1:]]

    def apply(self, params: dict[str, Tensor], inputs: Inputs) -> Tensor:
        """Logits ``[S, n, classes]``."""
        hidden, layers = self._layers(params, inputs)
        return _forward(layers, hidden)[-1]

    def logits(self, params: dict[str, Tensor], inputs: Inputs, chunk: int) -> Iterator[tuple[slice, Tensor]]:
        """Logits in pieces of at most ``chunk`` samples."""
        stored, layers = self._layers(params, inputs)
        for part in heads.pieces(stored.shape[1], chunk):
            yield part, _forward(layers, stored[:, part])[-1]

    def accumulate(
        self,
        params: dict[str, Tensor],
        inputs: Inputs,
        targets: Tensor,
        share: float,
        chunk: int,
        grads: dict[str, Tensor],
        visit: heads.Visit,
        weights: Tensor | None = None,
    ) -> None:
        """Add ``share`` times the gradient of the summed cross-entropy of these samples to ``grads``, chunk by chunk.

        Args:
            targets: class numbers ``[S, n]``.
            grads: one tensor per parameter, added to in place.
            visit: called with each chunk's samples, logits ``[S, m, classes]`` and losses ``[S, m]`` (not weighted).
            weights: factor of each sample's cross-entropy in the sum ``[S, n]``; None: 1.
        """
        stored, layers = self._layers(params, inputs)
        sums = [(torch.zeros_like(w), None if b is None else torch.zeros_like(b)) for w, b in layers]
        for part in heads.pieces(stored.shape[1], chunk):
            activations = _forward(layers, stored[:, part])
            logits = activations.pop()
            losses, delta = heads.cross_entropy(logits, targets[:, part], None if weights is None else weights[:, part])
            visit(part, logits, losses)
            _backward(layers, activations, delta.mul_(share), sums)
        for i, (weight, bias) in enumerate(sums):
            if f"layers.{i}.weight" not in grads:  # a fixed layer
                continue
            grads[f"layers.{i}.weight"] += unfold(inputs, weight, bias) if i == 0 else weight
            if self.bias:
                grads[f"layers.{i}.bias"] += bias


def _forward(layers: list[tuple[Tensor, Tensor | None]], hidden: Tensor) -> list[Tensor]:
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


def _backward(layers, activations: list[Tensor], delta: Tensor, sums) -> None:
    """Add the gradients that ``delta = d loss / d logits`` gives to ``sums``."""
    for i in range(len(layers) - 1, -1, -1):
        weight, bias = sums[i]
        weight.baddbmm_(delta.mT, activations[i])
        if bias is not None:
            bias += delta.sum(1)
        if i > 0:
            delta = heads.relu_backward_(torch.bmm(delta, layers[i][0]), activations[i])
