"""CelebA: portraits with the class blond or not and the spurious attribute male, from the official files.

Pictures stay the JPEG files they are (1.4 GB in all); they are decoded when they are read. Groups as in Sagawa et al.
2020; training, validation and test pictures are the official partition.
"""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import Field, Settings, checked
from muon_imbalance.data import sources
from muon_imbalance.data.store import manifest
from muon_imbalance.data.store.array_files import counts, read_same

SPLITS = ("train", "validation", "test")
GROUPS = ("other_female", "other_male", "blond_female", "blond_male")
CLASS, ATTRIBUTE = "Blond_Hair", "Male"
PICTURES = "img_align_celeba"
LOOKED_AT = 256  # training pictures whose pixels the manifest describes


class Options(Settings):
    """CelebA: portraits, blond or not, with the spurious attribute male."""

    source: Literal["celeba_torchvision", "celeba_folder"] = Field(
        "celeba_torchvision", description="official host, or the files in data_dir"
    )
    verify: bool = Field(True, description="refuse a folder whose tables are not the official ones")


def build(config: dict, inputs: Mapping[str, Path], out: Path) -> None:
    """Write ``{split}_jpeg_bytes`` and ``{split}_jpeg_ends`` (all files, one after the other), ``label`` and ``group``.

    ``inputs``: files ``attributes`` and ``partition``; the folder ``img_align_celeba`` lies beside the first.
    """
    options = checked(Options, config, "celeba")
    source = sources.get(options.source)
    files, official = source.files(inputs, options.verify)
    group = _groups(files["attributes"])
    partition = dict(line.split() for line in files["partition"].read_text().splitlines() if line)
    if set(partition) != set(group) or not set(partition.values()) <= {"0", "1", "2"}:
        raise UserError("celeba: attributes and partition name different pictures; get both official files")
    folder, arrays = files["attributes"].parent / PICTURES, {}
    names = {split: sorted(n for n, place in partition.items() if place == str(i)) for i, split in enumerate(SPLITS)}
    for split in SPLITS:
        try:
            content = [(folder / name).read_bytes() for name in names[split]]
        except OSError as error:
            raise UserError(f"celeba: {error}; allowed: a folder {PICTURES} with all pictures") from error
        arrays[f"{split}_jpeg_bytes"] = np.frombuffer(b"".join(content), np.uint8)
        arrays[f"{split}_jpeg_ends"] = np.cumsum([len(file) for file in content], dtype=np.int64)
        arrays[f"{split}_group"] = np.array([group[name] for name in names[split]], np.int64)
        arrays[f"{split}_label"] = arrays[f"{split}_group"] // 2
    facts = source.facts() | {"builder": "celeba", "config": options.model_dump() | config}
    facts["source"] |= {"verified_by": "both tables" if official else "nothing"}
    if not official:
        facts |= {"kind": "real-other", "label": "portraits of the user in CelebA's format (unverified)"}
    manifest.write(out, arrays, facts, describe(arrays))


def _groups(path: Path) -> dict[str, int]:
    """Group of each picture: a count, the names of the attributes, then a line of -1 and 1 for each."""
    lines = path.read_text(encoding="utf-8").splitlines()
    names = lines[1].split() if len(lines) > 1 else []
    if CLASS not in names or ATTRIBUTE not in names:
        raise UserError(f"celeba: {path} has no attributes {CLASS}, {ATTRIBUTE} in its second line")
    places, found = [1 + names.index(name) for name in (CLASS, ATTRIBUTE)], {}
    for line in filter(None, lines[2:]):
        entries = line.split()
        blond, male = (entries[place] == "1" for place in places)
        found[entries[0]] = 2 * blond + male
    return found


def decoded(data: np.ndarray, crop: int, side: int) -> np.ndarray:
    """A picture ``[side, side, 3]`` uint8: the middle ``crop`` pixels of the file, resized (bilinear)."""
    from PIL import Image  # only where pictures are read

    with Image.open(io.BytesIO(data.tobytes()), formats=["JPEG"]) as opened:
        picture = opened.convert("RGB")
    left, top = (picture.width - crop) // 2, (picture.height - crop) // 2
    picture = picture.crop((left, top, left + crop, top + crop))
    return np.asarray(picture.resize((side, side), Image.Resampling.BILINEAR))


def describe(arrays: Mapping[str, np.ndarray]) -> dict:
    """Counts per split and group; shape, mean and standard deviation (in [0, 1]) of the first training pictures."""
    ends = [0, *arrays["train_jpeg_ends"][:LOOKED_AT].tolist()]
    parts = [arrays["train_jpeg_bytes"][start:end] for start, end in zip(ends, ends[1:], strict=False)]
    pixels = np.stack([decoded(part, 178, 32) for part in parts]).astype(np.float64) / 255
    found = {split: counts(arrays[f"{split}_group"], GROUPS) for split in SPLITS}
    return {"counts": found, "shape": [3, 218, 178], "mean": float(pixels.mean()), "std": float(pixels.std())}


def load(path: Path, split: str, repetitions: Sequence[int] = (0,)) -> dict[str, np.ndarray]:
    """``jpeg_bytes``, ``jpeg_ends``, ``label`` and ``group``, each ``[1, ...]``: the same in every repetition."""
    return read_same("celeba", path, SPLITS, split, repetitions, "jpeg_bytes", "jpeg_ends", "label", "group")
