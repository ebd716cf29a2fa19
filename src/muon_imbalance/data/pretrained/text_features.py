"""Sentence pairs as a pretrained encoder of BERT's type reads them, up to a layer; from there on it is trained.

With ``lower`` layers frozen their output is computed once for each pair: ``[n, L, W]`` float16, 0 at padding. With
``lower: 0`` nothing is frozen, and features are the pieces and segments ``[n, 2, L]`` uint16.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import tokenizers
import torch

from muon_imbalance.common.errors import refusal
from muon_imbalance.common.progress import Progress
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data.pretrained import encoder_weights, feature_sets
from muon_imbalance.data.store import manifest, parents
from muon_imbalance.data.text import sentence_pairs
from muon_imbalance.models.modules import bert

PARENTS = {"samples": ("toynli", "multinli"), "encoder": ("encoder_weights",)}
BATCH = 64
describe, weights, classes = feature_sets.describe, feature_sets.weights, sentence_pairs.classes
load = partial(feature_sets.load, "text_features")


class Options(Settings):
    """Sentence pairs as a pretrained encoder reads them, up to a layer."""

    lower: int = Field(5, ge=0, description="number of frozen layers; 0: pieces and segments in place of features")
    length: int = Field(64, ge=8, description="pieces at which a pair is cut")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write features of every split and the weights of the layers above.

    Raises:
        UserError: an encoder with fewer layers.
    """
    options = checked(Options, config, "text_features")
    opened = parents.opened("text_features", PARENTS, inputs)
    (pairs, samples), encoder = opened["samples"], opened["encoder"].manifest
    held = encoder_weights.load(opened["encoder"].folder)
    sizes = json.loads(held["sizes"].tobytes())
    tensors = {k.removeprefix("tensor/"): torch.from_numpy(v) for k, v in held.items() if k.startswith("tensor/")}
    lower = options.lower
    for key, name in (("lower", "num_hidden_layers"), ("length", "max_position_embeddings")):
        if (value := getattr(options, key)) > sizes[name]:
            raise refusal("text_features", key, value, f"up to {sizes[name]}, as the encoder has")
    tokenizer = tokenizers.Tokenizer.from_str(held["tokenizer"].tobytes().decode())
    tokenizer.no_padding()
    tokenizer.enable_truncation(options.length)
    module = bert.load(bert.Lower(sizes, lower), tensors).eval() if lower else None
    arrays = {"groups": np.array(sentence_pairs.GROUPS)}
    pieces = {split: _pieces(tokenizer, sentence_pairs.pairs_of(pairs, split)) for split in feature_sets.SPLITS}
    longest = max(int((one[:, 0] != 0).sum(1).max()) for one in pieces.values())
    progress = Progress("features", sum(map(len, pieces.values()))) if lower else None
    for split, ids in pieces.items():
        ids = ids[:, :, :longest]
        arrays[f"{split}_features"] = _features(module, ids, sizes["hidden_size"], progress) if lower else ids
        loaded = sentence_pairs.load(samples["builder"], pairs, split)
        arrays |= {f"{split}_{name}": loaded[name][0] for name in ("label", "group")}
    upper = bert.upper_names(tensors, lower, sizes["num_hidden_layers"])
    arrays |= feature_sets.stored_weights({name: tensors[old].numpy() for name, old in upper.items()})
    frozen = f"{lower} of {sizes['num_hidden_layers']} layers frozen" if lower else "all layers trained"
    facts = feature_sets.facts("text_features", samples, encoder, f", {frozen}", options.model_dump() | config)
    manifest.write(out, arrays, facts, describe(arrays))


def _pieces(tokenizer, pairs: list[tuple[str, str]]) -> np.ndarray:
    """Pieces and segments of each pair, ``[n, 2, L]`` uint16, 0 after the end."""
    coded = tokenizer.encode_batch(pairs)
    ids = np.zeros((len(coded), 2, max(len(one.ids) for one in coded)), np.uint16)
    for row, one in zip(ids, coded, strict=True):
        row[0, : len(one.ids)], row[1, : len(one.ids)] = one.ids, one.type_ids
    return ids


@torch.no_grad()
def _features(module: bert.Lower, ids: np.ndarray, width: int, progress: Progress) -> np.ndarray:
    """Output of the frozen layers in batches of about equal lengths. A first entry that rounds to 0 is moved to the
    next number, because 0 marks padding."""
    features = np.zeros((len(ids), ids.shape[2], width), np.float16)
    lengths = (ids[:, 0] != 0).sum(1)
    tensor = torch.from_numpy(ids.astype(np.int64))
    for places in np.array_split(np.argsort(lengths, kind="stable"), -(-len(ids) // BATCH)):
        longest = int(lengths[places].max())
        batch = tensor[places, :, :longest]
        found = module(batch[:, 0], batch[:, 1]).half().numpy()
        first = found[..., 0]
        first[(first == 0) & (batch[:, 0].numpy() != 0)] = np.finfo(np.float16).tiny
        features[places, :longest] = found
        progress.update(len(places))
    return features
