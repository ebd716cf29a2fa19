"""BERT's encoder in plain torch, with the names and shapes of its published weights.

Post-norm Transformer (Devlin et al. 2019): embeddings of pieces, positions and segments, then layers of self-attention
and a GELU network, each with a residual connection and a LayerNorm. Importing ``transformers`` takes ten seconds
of processor time, more than most of our training jobs; a test compares the two.
"""

import json
import math
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from torch import Tensor, nn

from muon_imbalance.common.errors import UserError
from muon_imbalance.models.modules import pretrained_weights

KEYS = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "vocab_size",
        "max_position_embeddings", "type_vocab_size", "layer_norm_eps")  # fmt: skip
PREFIXES = ("", "bert.")  # of the names in published files


def read_config(path: Path) -> dict:
    """Sizes of an encoder from its ``config.json``.

    Raises:
        UserError: a key is missing, or the file describes another kind of network.
    """
    held = json.loads(Path(path).read_text(encoding="utf-8"))
    wanted = {"model_type": "bert", "hidden_act": "gelu"}
    for key, value in wanted.items():
        if held.get(key, value) != value or held.get("position_embedding_type", "absolute") != "absolute":
            raise UserError(f"{path}: {key} = {held.get(key)!r}; allowed: {value!r} (a BERT with absolute positions)")
    if missing := [key for key in KEYS if key not in held]:
        raise UserError(f"{path} lacks {', '.join(missing)}")
    return {key: held[key] for key in KEYS}


def read_weights(path: Path) -> dict[str, Tensor]:
    """Tensors of a safetensors file under BERT's own names (without the prefix ``bert.``)."""
    with safe_open(path, "pt") as file:
        held = {name: file.get_tensor(name) for name in file.keys()}
    prefix = next((p for p in PREFIXES if f"{p}embeddings.word_embeddings.weight" in held), None)
    if prefix is None:
        raise UserError(f"{path} has no embeddings.word_embeddings.weight; allowed: weights of a BERT encoder")
    named = {name.removeprefix(prefix): value for name, value in held.items() if name.startswith(prefix)}
    return {
        name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias"): value
        for name, value in named.items()
        if not name.endswith("position_ids")
    }  # names before 2020


class Normed(nn.Module):
    """Linear map of a sub-layer's output, added to its input and normalised."""

    def __init__(self, inner: int, width: int, eps: float):
        super().__init__()
        self.dense, self.LayerNorm = nn.Linear(inner, width), nn.LayerNorm(width, eps=eps)

    def forward(self, inner: Tensor, residual: Tensor, dropout: float) -> Tensor:
        return self.LayerNorm(F.dropout(self.dense(inner), dropout, dropout > 0) + residual)


class Attention(nn.Module):
    """Self-attention with ``heads`` heads and its output map (names: ``self`` and ``output``)."""

    def __init__(self, width: int, heads: int, eps: float):
        super().__init__()
        self.heads = heads
        maps = {name: nn.Linear(width, width) for name in ("query", "key", "value")}
        self.add_module("self", nn.ModuleDict(maps))
        self.output = Normed(width, width, eps)

    def forward(self, x: Tensor, mask: Tensor, dropout: float) -> Tensor:
        """``x [B, L, W]``, ``mask [B, L]`` (true: a piece, false: padding)."""
        shape = (*x.shape[:2], self.heads, -1)
        q, k, v = (self._modules["self"][name](x).view(shape).transpose(1, 2) for name in ("query", "key", "value"))
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=mask[:, None, None], dropout_p=dropout)
        return self.output(mixed.transpose(1, 2).flatten(2), x, dropout)

    def first(self, x: Tensor, mask: Tensor, dropout: float) -> Tensor:
        """The same at the first position only, ``[B, W]``, without keys and values of every piece.

        For one query, ``q . (K x_j + b) = (K^T q) . x_j + const`` (the constant falls away in the softmax) and
        ``sum_j p_j (V x_j + b) = V (sum_j p_j x_j) + b sum_j p_j``: a head needs ``L W`` products per sample instead
        of ``L W^2 / heads``. Dropout on the weights makes ``sum_j p_j`` differ from 1.
        """
        query, key, value = (self._modules["self"][name] for name in ("query", "key", "value"))
        batch, length, width = x.shape
        size = width // self.heads
        q = query(x[:, 0]).view(batch, self.heads, size).transpose(0, 1)  # [H, B, size]
        folded = torch.bmm(q, key.weight.view(self.heads, size, width)).transpose(0, 1)  # [B, H, W]
        scores = torch.bmm(folded, x.transpose(1, 2)) / math.sqrt(size)  # [B, H, L]
        p = scores.masked_fill(~mask[:, None], -torch.inf).softmax(-1)
        p = F.dropout(p, dropout, dropout > 0)
        mean = torch.bmm(p, x).transpose(0, 1)  # [H, B, W]
        mixed = torch.bmm(mean, value.weight.view(self.heads, size, width).transpose(1, 2)).transpose(0, 1)
        mixed = mixed + p.sum(-1, keepdim=True) * value.bias.view(1, self.heads, size)
        return self.output(mixed.reshape(batch, width), x[:, 0], dropout)


class Layer(nn.Module):
    """One layer of the encoder."""

    def __init__(self, config: dict):
        super().__init__()
        width, inner, eps = config["hidden_size"], config["intermediate_size"], config["layer_norm_eps"]
        self.attention = Attention(width, config["num_attention_heads"], eps)
        self.intermediate = nn.ModuleDict({"dense": nn.Linear(width, inner)})
        self.output = Normed(inner, width, eps)

    def forward(self, x: Tensor, mask: Tensor, dropout: float = 0.0, first: bool = False) -> Tensor:
        """``[B, L, W]``; with ``first`` only what becomes of the first position, ``[B, W]``."""
        attend = self.attention.first if first else self.attention
        x = attend(x, mask, dropout)
        return self.output(F.gelu(self.intermediate["dense"](x)), x, dropout)


class Embeddings(nn.Module):
    """Sum of the embeddings of piece, position and segment, normalised."""

    def __init__(self, config: dict):
        super().__init__()
        width = config["hidden_size"]
        self.word_embeddings = nn.Embedding(config["vocab_size"], width)
        self.position_embeddings = nn.Embedding(config["max_position_embeddings"], width)
        self.token_type_embeddings = nn.Embedding(config["type_vocab_size"], width)
        self.LayerNorm = nn.LayerNorm(width, eps=config["layer_norm_eps"])

    def forward(self, ids: Tensor, segments: Tensor, dropout: float = 0.0) -> Tensor:
        """``ids, segments [B, L]`` -> ``[B, L, W]``."""
        places = torch.arange(ids.shape[1], device=ids.device)
        total = self.word_embeddings(ids) + self.token_type_embeddings(segments) + self.position_embeddings(places)
        return F.dropout(self.LayerNorm(total), dropout, dropout > 0)


class Lower(nn.Module):
    """Embeddings and the first ``layers`` layers, which give the features that are kept."""

    def __init__(self, config: dict, layers: int):
        super().__init__()
        self.embeddings = Embeddings(config)
        self.encoder = nn.ModuleDict({"layer": nn.ModuleList(Layer(config) for _ in range(layers))})

    def forward(self, ids: Tensor, segments: Tensor) -> Tensor:
        """``[B, L, W]``; 0 at padding (piece 0), where no LayerNorm's output is 0."""
        mask = ids != 0
        x = self.embeddings(ids, segments)
        for layer in self.encoder["layer"]:
            x = layer(x, mask)
        return x * mask.unsqueeze(-1)


def load(module: nn.Module, weights: dict[str, Tensor]) -> nn.Module:
    """``module`` with its part of the weights.

    Raises:
        UserError: a weight is missing or has another shape.
    """
    return pretrained_weights.fill(module, {name: weights[name] for name in module.state_dict() if name in weights})


def upper_names(tensors: dict[str, Tensor], lower: int, layers: int) -> dict[str, str]:
    """Names in :mod:`muon_imbalance.models.modules.encoder` -> names here, of what is above ``lower`` layers."""
    names = {}
    for name in tensors:
        if name.startswith("encoder.layer."):
            number, rest = name.removeprefix("encoder.layer.").split(".", 1)
            if lower <= int(number) < layers:
                names[f"layers.{int(number) - lower}.{rest}"] = name
        elif name.startswith("pooler.") or (lower == 0 and name.startswith("embeddings.")):
            names[name] = name
    return names
