"""Sentence pairs as a pretrained encoder of BERT's type reads them, up to a layer; from there on it is trained.

With ``lower`` layers frozen their output is computed once for each pair: ``[n, L, W]`` float16, 0 at padding. With
``lower: 0`` nothing is frozen, and features are the pieces and segments ``[n, 2, L]`` uint16.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path

import numpy as np
import torch

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.progress import Progress
from muon_imbalance.data import registry
from muon_imbalance.data.pretrained import encoder_weights, feature_sets
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.options import Options
from muon_imbalance.data.text import sentence_pairs
from muon_imbalance.models.modules import bert

DEFAULTS = {"lower": 5, "length": 64}
PARENTS = ("samples", "encoder")
BATCH = 64
describe, weights = feature_sets.describe, feature_sets.weights
load = partial(feature_sets.load, "text_features")


def classes(_: Mapping) -> int:
    """Number of classes."""
    return len(sentence_pairs.LABELS)


def build(config: dict, parents: Mapping[str, Path], out: Path) -> None:
    """Write features of every split and the weights of the layers above.

    Args:
        config: ``lower``, number of frozen layers; ``length``, pieces at which a pair is cut.
        parents: ``{samples: a data set of sentence pairs, encoder: weights}``.
        out: folder to write.

    Raises:
        UserError: bad config, a parent missing, or an encoder with fewer layers.
    """
    options = Options("text_features", config, DEFAULTS)
    for role in PARENTS:
        if role not in parents:
            raise UserError(
                f"text_features: parents lacks {role!r}; allowed: a data set for each of {', '.join(PARENTS)}"
            )
    samples, encoder = manifest.read(parents["samples"]), manifest.read(parents["encoder"])
    held = encoder_weights.load(parents["encoder"])
    sizes = json.loads(held["sizes"].tobytes())
    tensors = {k.removeprefix("tensor/"): torch.from_numpy(v) for k, v in held.items() if k.startswith("tensor/")}
    lower, length = options.integer("lower", 0), options.integer("length", 8)
    if lower > sizes["num_hidden_layers"] or length > sizes["max_position_embeddings"]:
        key = "lower" if lower > sizes["num_hidden_layers"] else "length"
        allowed = sizes["num_hidden_layers" if key == "lower" else "max_position_embeddings"]
        raise options.refuse(key, f"up to {allowed}, as the encoder has")
    tokenizer = _tokenizer(held["tokenizer"].tobytes(), length)
    module = bert.load(bert.Lower(sizes, lower), tensors).eval() if lower else None
    source, arrays = registry.module(samples["builder"]), {"groups": np.array(sentence_pairs.GROUPS)}
    pieces = {
        split: _pieces(tokenizer, sentence_pairs.pairs_of(parents["samples"], split)) for split in feature_sets.SPLITS
    }
    longest = max(int((one[:, 0] != 0).sum(1).max()) for one in pieces.values())
    progress = Progress("features", sum(map(len, pieces.values()))) if lower else None
    for split, ids in pieces.items():
        ids = ids[:, :, :longest]
        arrays[f"{split}_features"] = _features(module, ids, sizes["hidden_size"], progress) if lower else ids
        loaded = source.load(parents["samples"], split)
        arrays |= {f"{split}_{name}": loaded[name][0] for name in ("label", "group")}
    upper = bert.upper_names(tensors, lower, sizes["num_hidden_layers"])
    arrays |= {feature_sets.PREFIX + name: tensors[old].numpy() for name, old in upper.items()}
    frozen = f"{lower} of {sizes['num_hidden_layers']} layers frozen" if lower else "all layers trained"
    facts = feature_sets.facts("text_features", samples, encoder, f", {frozen}", options.values)
    manifest.write(out, arrays, facts)


def _tokenizer(data: bytes, length: int):
    import tokenizers

    tokenizer = tokenizers.Tokenizer.from_str(data.decode())
    tokenizer.no_padding()
    tokenizer.enable_truncation(length)
    return tokenizer


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
        for _ in places:
            progress.update()
    return features
