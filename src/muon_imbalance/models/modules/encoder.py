"""The trained upper part of a text encoder: its last layers, the pooler and a classifier of the first position.

As `BertForSequenceClassification` reads it: logits = C dropout(tanh(P x_0)). The last layer is computed at the first
position only, which gives the same numbers (:meth:`muon_imbalance.models.modules.bert.Attention.first`).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from muon_imbalance.common.errors import UserError
from muon_imbalance.models.modules import bert

DEFAULTS = {"layers": 1, "heads": 12, "inner": 1536, "width": 0, "vocabulary": 0, "positions": 512, "dropout": 0.1}
EPS, INIT_STD = 1e-12, 0.02


class Encoder(nn.Module):
    """``layers`` layers on features ``[B, L, W]`` (0 at padding), or with a ``vocabulary`` on pieces ``[B, 2, L]``."""

    def __init__(self, width: int, options: dict, classes: int):
        super().__init__()
        sizes = {
            "hidden_size": width,
            "num_attention_heads": options["heads"],
            "intermediate_size": options["inner"],
            "vocab_size": options["vocabulary"],
            "max_position_embeddings": options["positions"],
            "type_vocab_size": 2,
            "layer_norm_eps": EPS,
        }
        if options["vocabulary"]:
            self.embeddings = bert.Embeddings(sizes)
        self.layers = nn.ModuleList(bert.Layer(sizes) for _ in range(options["layers"]))
        self.pooler = nn.ModuleDict({"dense": nn.Linear(width, width)})
        self.classifier = nn.Linear(width, classes)
        self.dropout = options["dropout"]
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=INIT_STD)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor) -> Tensor:
        dropout = self.dropout if self.training else 0.0
        if hasattr(self, "embeddings"):
            ids, segments = x.long().unbind(1)
            mask, x = ids != 0, self.embeddings(ids, segments, dropout)
        else:
            mask = x[..., 0] != 0
        last = len(self.layers) - 1
        for number, layer in enumerate(self.layers):
            x = layer(x, mask, dropout, first=number == last)
        pooled = torch.tanh(self.pooler["dense"](x))
        return self.classifier(F.dropout(pooled, dropout, dropout > 0))


def build(config: dict, shape: Sequence[int], classes: int) -> Encoder:
    """An encoder for samples of that shape; keys of ``config``: those of :data:`DEFAULTS` (``width`` and
    ``vocabulary`` where nothing is frozen) and ``name``.

    Raises:
        UserError: an unknown key, or a width that the heads do not divide.
    """
    if unknown := sorted(set(config) - set(DEFAULTS) - {"name"}):
        raise UserError(f"model encoder: unknown key {unknown[0]!r}; allowed: {', '.join(DEFAULTS)}")
    options = DEFAULTS | config
    width = options["width"] if options["vocabulary"] else shape[-1]
    if width < 1 or width % options["heads"]:
        raise UserError(f"model encoder: heads is {options['heads']}; allowed: a divisor of the width {width}")
    return Encoder(width, options, classes)
