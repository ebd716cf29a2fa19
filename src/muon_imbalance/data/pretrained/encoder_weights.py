"""A pretrained text encoder of BERT's type, kept like a data set: its tensors, its sizes and its tokenizer.

MiniLM-L6 is real. A tiny untrained encoder with a vocabulary of `toynli`'s words tests the pipeline without a download.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch

from muon_imbalance.data import sources
from muon_imbalance.data.sources import verified
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import read_arrays
from muon_imbalance.data.store.options import Options, check_request
from muon_imbalance.data.text import nli_grammar
from muon_imbalance.models.modules import bert

DEFAULTS = {"source": "minilm_l6", "untrained": False, "width": 32, "layers": 2, "seed": 0, "verify": True}
SOURCES = ("minilm_l6", "bert_base_hub", "bert_base_folder")
SPLIT = "weights"


def build(config: dict, sources_by_role: Mapping[str, Path], out: Path) -> None:
    """Write every tensor as ``tensor/<name>``, and ``sizes`` and ``tokenizer`` as the bytes of JSON.

    Args:
        config: ``source``, one of :data:`SOURCES`; or, in its place, ``untrained: true`` with ``width``, ``layers`` and
            ``seed``.
        sources_by_role: ``{weights, sizes, tokenizer: file}`` of the source.
        out: folder to write.

    Raises:
        UserError: bad config, a missing file, or content other than the recorded one.
    """
    options = Options("encoder_weights", config, DEFAULTS)
    if options.flag("untrained"):
        sizes = _tiny(options.integer("width", 8), options.integer("layers", 1))
        tensors = _random(sizes, options.integer("seed", 0))
        tokenizer = _word_tokenizer()
        origin = {"name": "untrained", "ecosystem": "generated"}
        facts = {"name": "untrained", "kind": "generated", "label": "untrained encoder", "source": origin,
                 "licence": "none: generated", "citation": "none: generated"}  # fmt: skip
    else:
        source = sources.get(options.choice("source", SOURCES))
        files, official = verified.files(source, sources_by_role, options.flag("verify"))
        sizes, tensors = bert.read_config(files["sizes"]), bert.read_weights(files["weights"])
        tokenizer = files["tokenizer"].read_bytes()
        facts = source.facts()
        if not official:
            facts |= {"kind": "real-other", "label": f"{source.label} (unverified)"}
    bert.load(bert.Lower(sizes, sizes["num_hidden_layers"]), tensors)  # all of them there, in the right shapes
    arrays = {f"tensor/{key}": value.numpy() for key, value in tensors.items()}
    arrays |= {"sizes": _bytes(json.dumps(sizes).encode()), "tokenizer": _bytes(tokenizer)}
    manifest.write(out, arrays, facts | {"builder": "encoder_weights", "config": options.values})


def _bytes(data: bytes) -> np.ndarray:
    return np.frombuffer(data, np.uint8)


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


def _tiny(width: int, layers: int) -> dict:
    values = (width, layers, 2, 2 * width, len(nli_grammar.words()) + 4, 64, 2, 1e-12)
    return dict(zip(bert.KEYS, values, strict=True))


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
    tensors = [array.ravel() for name, array in arrays.items() if name.startswith("tensor/")]
    count = sum(array.size for array in tensors)
    mean = sum(float(array.sum(dtype=np.float64)) for array in tensors) / count
    square = sum(float((array.astype(np.float64) ** 2).sum()) for array in tensors) / count
    return {"counts": {SPLIT: {"all": count}}, "shape": [count], "mean": mean, "std": (square - mean**2) ** 0.5}


def load(path: Path, split: str = SPLIT, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """All arrays by name."""
    check_request("encoder_weights", split, (SPLIT,), repetitions, max(repetitions, default=0) + 1)
    return read_arrays(path)
