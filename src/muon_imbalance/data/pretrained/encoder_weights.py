"""A pretrained text encoder of BERT's type, kept like a data set: its tensors, its sizes and its tokenizer.

MiniLM-L6 is real. A tiny untrained encoder with a vocabulary of ``toynli``'s words tests the pipeline
without a download.
"""

import json
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data import sources
from muon_imbalance.data.pretrained import feature_sets
from muon_imbalance.data.store import manifest
from muon_imbalance.data.text import nli_grammar
from muon_imbalance.models.modules import bert

load = partial(feature_sets.load_weights, "encoder_weights")


class Options(Settings):
    """A pretrained text encoder of BERT's type; or, in its place, a tiny untrained one, for tests."""

    source: Literal["minilm_l6", "bert_base_hub", "bert_base_folder"] = Field(
        "minilm_l6", description="published weights, or those in data_dir"
    )
    untrained: bool = Field(False, description="draw the weights; then nothing is downloaded")
    width: int = Field(32, ge=8, multiple_of=2, description="width of the untrained encoder")
    layers: int = Field(2, ge=1, description="layers of the untrained encoder")
    seed: int = Field(0, ge=0, description="seed of the draw")
    verify: bool = Field(True, description="refuse a folder with other content than the official one")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write every tensor as ``tensor/<name>``, and ``sizes`` and ``tokenizer`` as the bytes of JSON.

    ``inputs``: files ``weights``, ``sizes`` and ``tokenizer``.
    """
    options = checked(Options, config, "encoder_weights")
    if options.untrained:
        width, tokenizer = options.width, _word_tokenizer()
        values = (width, options.layers, 2, 2 * width, len(nli_grammar.words()) + 4, 64, 2, 1e-12)
        sizes = dict(zip(bert.KEYS, values, strict=True))
        tensors = _random(sizes, options.seed)
        origin = {"name": "untrained", "ecosystem": "generated"}
        facts = {"name": "untrained", "kind": "generated", "label": "untrained encoder", "source": origin,
                 "licence": "none: generated", "citation": "none: generated"}  # fmt: skip
    else:
        source = sources.get(options.source)
        files, official = source.files(inputs, options.verify)
        sizes, tensors = bert.read_config(files["sizes"]), bert.read_weights(files["weights"])
        tokenizer = files["tokenizer"].read_bytes()
        facts = source.facts()
        if not official:
            facts |= {"kind": "real-other", "label": f"{source.label} (unverified)"}
    bert.load(bert.Lower(sizes, sizes["num_hidden_layers"]), tensors)  # all of them there, in the right shapes
    arrays = {f"tensor/{key}": value.numpy() for key, value in tensors.items()}
    for name, content in (("sizes", json.dumps(sizes).encode()), ("tokenizer", tokenizer)):
        arrays[name] = np.frombuffer(content, np.uint8)
    facts |= {"builder": "encoder_weights", "config": options.model_dump() | config}
    manifest.write(out, arrays, facts, describe(arrays))


def _word_tokenizer() -> bytes:
    """A tokenizer with one piece a word, which joins pairs as BERT does."""
    import tokenizers
    from tokenizers import models, pre_tokenizers, processors

    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    vocabulary = {word: number for number, word in enumerate([*special, *nli_grammar.words()])}
    tokenizer = tokenizers.Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    return tokenizer.to_str().encode()


def _random(sizes: dict, seed: int) -> dict[str, torch.Tensor]:
    """Matrices with standard deviation 0.1, neutral normalisation."""
    rng, tensors = torch.Generator().manual_seed(seed), {}
    width, shapes = sizes["hidden_size"], bert.Lower(sizes, sizes["num_hidden_layers"]).state_dict()
    shapes |= {"pooler.dense.weight": torch.zeros(width, width), "pooler.dense.bias": torch.zeros(width)}
    for name, value in shapes.items():
        drawn = torch.randn(value.shape, generator=rng) * 0.1
        tensors[name] = drawn if value.ndim > 1 else torch.full_like(value, float(name.endswith("Norm.weight")))
    return tensors


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Number of weights, their mean and standard deviation."""
    return feature_sets.described_weights([one for name, one in arrays.items() if name.startswith("tensor/")])
