"""What the stacked models share: passes over samples in pieces, the cross-entropy head, PyTorch's initialisation."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import torch
from torch import Tensor

from muon_imbalance.models.stacked.inputs import Inputs

Visit = Callable[[slice, Tensor, Tensor], None]
"""Called with a piece of the samples, its logits ``[S, m, classes]`` and losses ``[S, m]``."""

FEW_CLASSES = 32
"""Up to so many, softmax runs along the samples, which is 1.4 to 2.6 times faster; with 100 it is slower."""


def pieces(samples: int, chunk: int) -> Iterator[slice]:
    """Slices of at most ``chunk`` samples."""
    for start in range(0, samples, chunk):
        yield slice(start, min(start + chunk, samples))


class Stack:
    """Models of one architecture, trained at once, with their cross-entropy gradient written out.

    An architecture offers: ``_layers(params, inputs)``, the inputs as stored ``[S, n, ...]`` and what acts on them;
    ``_forward(layers, stored)``, a list of activations that ends in the logits; ``_sums(layers)``, zeros to which
    ``_backward(layers, activations, delta, sums, grads)`` adds the gradients that ``delta = d loss / d logits`` gives;
    ``_collect(inputs, sums, grads)``, which adds what they amount to.
    """

    def apply(self, params: dict[str, Tensor], inputs: Inputs) -> Tensor:
        """Logits ``[S, n, classes]`` of inputs ``[S, n, features]``."""
        stored, layers = self._layers(params, inputs)
        return self._forward(layers, stored)[-1]

    def logits(self, params: dict[str, Tensor], inputs: Inputs, chunk: int) -> Iterator[tuple[slice, Tensor]]:
        """Logits in pieces of at most ``chunk`` samples."""
        stored, layers = self._layers(params, inputs)
        for part in pieces(stored.shape[1], chunk):
            yield part, self._forward(layers, stored[:, part])[-1]

    def accumulate(
        self,
        params: dict[str, Tensor],
        inputs: Inputs,
        targets: Tensor,
        share: float,
        chunk: int,
        grads: dict[str, Tensor],
        visit: Visit,
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
        sums = self._sums(layers)
        for part in pieces(stored.shape[1], chunk):
            *activations, logits = self._forward(layers, stored[:, part])
            losses, delta = cross_entropy(logits, targets[:, part], None if weights is None else weights[:, part])
            visit(part, logits, losses)
            self._backward(layers, activations, delta.mul_(share), sums, grads)
        self._collect(inputs, sums, grads)


def cross_entropy(logits: Tensor, targets: Tensor, weights: Tensor | None = None) -> tuple[Tensor, Tensor]:
    """Losses ``[S, m]`` and the derivative of their sum by ``logits [S, m, classes]``, softmax minus one-hot.

    ``weights [S, m]`` are factors of the losses in the sum (None: 1); the losses themselves have none.
    """
    few = logits.shape[2] <= FEW_CLASSES
    axis, logits = (1, logits.mT) if few else (2, logits)
    labels = targets.unsqueeze(axis)
    log_p = torch.log_softmax(logits, axis)
    losses = -log_p.gather(axis, labels).squeeze(axis)
    delta = log_p.exp_()
    delta.scatter_add_(axis, labels, delta.new_full((), -1.0).expand(labels.shape))
    delta = delta.mT if few else delta
    return losses, delta if weights is None else delta.mul_(weights.unsqueeze(2))


def relu_backward_(delta: Tensor, output: Tensor) -> Tensor:
    """``delta`` where the ReLU's ``output`` is above 0, else 0; in place, in one pass over memory."""
    return torch.ops.aten.threshold_backward.grad_input(delta, output, 0, grad_input=delta)


def uniform(
    shapes: Mapping[str, Sequence[int]], generators: list[torch.Generator], dtype: torch.dtype
) -> dict[str, Tensor]:
    """Stacked parameters, uniform in ``+-1/sqrt(fan_in)``, each model from its own generator.

    Args:
        shapes: of one model, ``<layer>.weight (out, in, ...)`` and ``<layer>.bias (out,)``, drawn in this order; the
            fan-in of a bias is that of its weight.
    """
    models = []
    for rng in generators:
        model = {}
        for name, shape in shapes.items():
            fan_in = torch.Size(shapes[name.replace("bias", "weight")][1:]).numel()
            drawn = torch.rand(tuple(shape), generator=rng, dtype=torch.float64)
            model[name] = ((2 * drawn - 1) / fan_in**0.5).to(dtype)
        models.append(model)
    return {name: torch.stack([model[name] for model in models]) for name in shapes}
