"""The trained upper part of a text encoder: its last layers, the pooler and a classifier of the first position.

As ``BertForSequenceClassification`` reads it: logits = C dropout(tanh(P x_0)). The last layer is computed at the first
position only, which gives the same numbers (:meth:`muon_imbalance.models.modules.bert.Attention.first`).
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.models.modules import bert

EPS, INIT_STD = 1e-12, 0.02


class Options(Settings):
    """The trained part of a text encoder."""

    layers: int = Field(1, ge=1, le=1000, description="number of trained layers")
    heads: int = Field(12, ge=1, le=1000, description="heads of self-attention, a divisor of the width")
    inner: int = Field(1536, ge=1, le=100_000, description="width between the two maps of a layer's network")
    width: int = Field(0, ge=0, le=100_000, description="numbers that stand for a piece, where nothing is frozen")
    vocabulary: int = Field(0, ge=0, description="pieces of the tokenizer, where nothing is frozen (0: features come)")
    positions: int = Field(512, ge=1, description="longest sequence, where nothing is frozen")
    dropout: float = Field(0.1, ge=0, lt=1, description="share of numbers that are dropped in training")

    @model_validator(mode="after")
    def _width_where_embeddings_are_trained(self):
        if bool(self.width) != bool(self.vocabulary):
            raise ValueError(f"width = {self.width}, vocabulary = {self.vocabulary}; allowed: both or neither")
        return self


class Encoder(nn.Module):
    """``layers`` layers on features ``[B, L, W]`` (0 at padding), or with a ``vocabulary`` on pieces ``[B, 2, L]``."""

    def __init__(self, width: int, options: Options, classes: int):
        super().__init__()
        sizes = {
            "hidden_size": width,
            "num_attention_heads": options.heads,
            "intermediate_size": options.inner,
            "vocab_size": options.vocabulary,
            "max_position_embeddings": options.positions,
            "type_vocab_size": 2,
            "layer_norm_eps": EPS,
        }
        if options.vocabulary:
            self.embeddings = bert.Embeddings(sizes)
        self.layers = nn.ModuleList(bert.Layer(sizes) for _ in range(options.layers))
        self.pooler = nn.ModuleDict({"dense": nn.Linear(width, width)})
        self.classifier = nn.Linear(width, classes)
        self.dropout = options.dropout
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


def build(options: Options, shape: Sequence[int], classes: int) -> Encoder:
    """An encoder for features ``shape = (L, W)``, or with a vocabulary for pieces ``(2, L)``.

    Raises:
        UserError: a width that the heads do not divide.
    """
    width = options.width or shape[-1]
    if width % options.heads:
        raise UserError(f"model encoder: heads is {options.heads}; allowed: a divisor of the width {width}")
    return Encoder(width, options, classes)
