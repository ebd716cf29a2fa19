"""Decoder-only transformer with tied embeddings, the language model of Figs 9, 25, 26 and 28.

    h = E[x] + P;   h <- h + attention(norm(h));   h <- h + W_2 relu(W_1 norm(h));   logits = norm(h) E^T

Pre-norm blocks, causal attention with several heads, learned positions, dropout on the embeddings and on what each
part adds to ``h``; linear layers have no bias. Queries, keys and values have a matrix each (``[d, d]``, every one gets
its own polar factor) and are computed in one product. Weights start as N(0, 0.02^2), those that write into ``h``
divided by sqrt(2 layers), as in GPT-2.
"""

import math

import torch
import torch.nn.functional as F
from pydantic import model_validator
from torch import Tensor, nn

from muon_imbalance.common.settings import Field, Settings

STD = 0.02


class Options(Settings):
    """A decoder-only transformer."""

    layers: int = Field(ge=1, le=1000, description="number of blocks")
    width: int = Field(ge=1, le=100_000, description="numbers that stand for a token, a multiple of heads")
    heads: int = Field(ge=1, le=1000, description="heads of self-attention")
    feed_forward: int = Field(ge=1, le=100_000, description="width of the layer between two blocks")
    dropout: float = Field(0.0, ge=0, lt=1, description="share of numbers that are dropped in training")

    @model_validator(mode="after")
    def _heads_divide_the_width(self):
        if self.width % self.heads:
            raise ValueError(f"width = {self.width}; allowed: a multiple of heads, {self.heads}")
        return self


class Dropout(nn.Module):
    """Entries are 0 with probability ``rate``, the others are divided by ``1 - rate``; nothing happens in evaluation.

    ``rate`` is rounded to a multiple of 2^-16: random numbers of 16 bits, four from one draw, take a third of the time
    of ``nn.Dropout`` on a CPU, where that is an eighth of a small model's training step.
    """

    def __init__(self, rate: float):
        super().__init__()
        self.dropped = round(rate * 2**16)

    def forward(self, h: Tensor) -> Tensor:
        if not self.training or not self.dropped:
            return h
        draws = torch.empty(h.numel() // 4 + 1, dtype=torch.int64, device=h.device).random_(-(2**63), None)
        kept = draws.view(torch.int16)[: h.numel()].view(h.shape) >= self.dropped - 2**15
        return h * kept.to(h.dtype).mul_(2**16 / (2**16 - self.dropped))


class Attention(nn.Module):
    """Causal self-attention ``[B, T, d] -> [B, T, d]``."""

    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.out = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, h: Tensor) -> Tensor:
        batch, length, width = h.shape
        joint = torch.cat([self.query.weight, self.key.weight, self.value.weight])
        parts = F.linear(h, joint).view(batch, length, 3, self.heads, width // self.heads)
        query, key, value = parts.permute(2, 0, 3, 1, 4)  # [B, heads, T, d / heads] each
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return self.out(mixed.transpose(1, 2).reshape(batch, length, width))


class Block(nn.Module):
    """Attention and feed-forward layer, each added to what it reads."""

    def __init__(self, width: int, heads: int, feed_forward: int, dropout: float):
        super().__init__()
        self.attention_norm, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.feed_norm = nn.LayerNorm(width)
        self.up, self.down = nn.Linear(width, feed_forward, bias=False), nn.Linear(feed_forward, width, bias=False)
        self.dropout = Dropout(dropout)

    def forward(self, h: Tensor) -> Tensor:
        h = h + self.dropout(self.attention(self.attention_norm(h)))
        return h + self.dropout(self.down(self.up(self.feed_norm(h)).relu_()))


class Transformer(nn.Module):
    """Tokens ``[B, T]`` to logits ``[B, T, V]``, ``T <= context``, each from the tokens up to its place.

    With ``wanted [B, T]``, true or false, only the ``m`` places that are wanted get logits, ``[m, V]``.
    """

    def __init__(self, vocabulary: int, context: int, layers: int, width: int, heads: int, feed_forward: int,
                 dropout: float):  # fmt: skip
        super().__init__()
        self.embedding, self.position = nn.Embedding(vocabulary, width), nn.Embedding(context, width)
        self.dropout = Dropout(dropout)
        self.blocks = nn.ModuleList(Block(width, heads, feed_forward, dropout) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        for name, parameter in self.named_parameters():
            if parameter.ndim > 1:
                writes = name.endswith(("attention.out.weight", "down.weight"))
                nn.init.normal_(parameter, std=STD / math.sqrt(2 * layers) if writes else STD)

    def forward(self, tokens: Tensor, wanted: Tensor | None = None) -> Tensor:
        h = self.dropout(self.embedding(tokens) + self.position.weight[: tokens.shape[1]])
        for block in self.blocks:
            h = block(h)
        return F.linear(self.norm(h if wanted is None else h[wanted]), self.embedding.weight)


def build(options: Options, shape: tuple[int], classes: int) -> Transformer:
    """A transformer for inputs of ``shape = (context,)`` and ``classes`` tokens."""
    sizes = (options.layers, options.width, options.heads, options.feed_forward)
    return Transformer(classes, *shape, *sizes, options.dropout)
