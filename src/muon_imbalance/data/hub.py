"""Corpora and weights from their official host, through `datasets` and `huggingface_hub`, which know the addresses."""

import json
import os
from pathlib import Path

from muon_imbalance.data.sources import Source
from muon_imbalance.errors import UserError

SPLITS = {"train": "train", "matched": "validation_matched", "mismatched": "validation_mismatched"}
LABELS = ("entailment", "neutral", "contradiction")  # their numbers at the host; -1: none


def fetch(source: Source, cache: Path) -> dict[str, Path]:
    """Files of the source by role, downloaded into the cache unless they are there.

    A corpus is written as JSON lines, as its official files are.

    Raises:
        UserError: the host cannot be reached, or has no such file.
    """
    folder = cache / f"hub-{source.package.replace('/', '+')}"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        return (_corpus if source.dataset == "multinli" else _files)(source, folder)
    except (OSError, ValueError) as error:
        raise UserError(
            f"source {source.name}: {source.package} could not be fetched ({error}); get its files by other means, "
            f"put them into a folder, and name that as data_dir with source: {source.dataset}_folder"
        ) from error


def _files(source: Source, folder: Path) -> dict[str, Path]:
    from huggingface_hub import hf_hub_download

    return {
        role: Path(hf_hub_download(source.package, name, local_dir=folder))
        for role, (name, _) in source.members.items()
    }


def _corpus(source: Source, folder: Path) -> dict[str, Path]:
    import datasets  # takes seconds: only where it is needed

    paths = {role: folder / f"{role}.jsonl" for role in source.members}
    for role in source.members:
        if paths[role].is_file():
            continue
        work = paths[role].with_suffix(".partial")
        with work.open("w", encoding="utf-8") as out:
            for row in datasets.load_dataset(source.package, split=SPLITS[role]):
                label = LABELS[row["label"]] if row["label"] >= 0 else "-"
                entry = {"sentence1": row["premise"], "sentence2": row["hypothesis"], "gold_label": label}
                out.write(json.dumps(entry, ensure_ascii=False) + "\n")
        os.replace(work, paths[role])
    return paths
