"""Example images of a data set, as one picture."""

from pathlib import Path

import numpy as np

from muon_imbalance.data.digits import barcoded_mnist, colored_mnist
from muon_imbalance.data.photos import dominoes as dominoes_data


def tile(images: np.ndarray, gap: int = 1, ground: float = 1.0) -> np.ndarray:
    """Images ``[rows, columns, h, w, 3]`` side by side on ``ground`` (white), ``gap`` pixels apart: ``[H, W, 3]``."""
    framed = np.pad(images, ((0, 0), (0, 0), (0, gap), (0, gap), (0, 0)), constant_values=ground)
    rows, columns, height, width, _ = framed.shape
    return framed.transpose(0, 2, 1, 3, 4).reshape(rows * height, columns * width, 3)[:-gap, :-gap]


def coloured_digits(folder: str | Path, columns: int = 6) -> np.ndarray:
    """Test digits of Colored-MNIST, half of them of each label: in the majority's colour (top) and the minority's."""
    held = colored_mnist.load(Path(folder), "test", [0])
    label = held["label"][0]
    chosen = np.concatenate(
        [np.flatnonzero(label == 0)[: (columns + 1) // 2], np.flatnonzero(label == 1)[: columns // 2]]
    )
    grey, agree = held["grey"][0, chosen], label[chosen]
    side = round(grey.shape[1] ** 0.5)
    rows = [colored_mnist.render(grey, colour, held["background"]) for colour in (agree, 1 - agree)]
    return tile(np.stack(rows).reshape(2, len(chosen), 3, side, side).transpose(0, 1, 3, 4, 2))


def barcoded_digits(folder: str | Path, columns: int = 6) -> np.ndarray:
    """Training digits of Barcoded MNIST: samples of majority classes (top), and the same digits with barcodes."""
    held = barcoded_mnist.load(Path(folder), "train", [0], standardise=False)
    label, images = held["label"][0], held["inputs"][0]
    digits = np.arange(columns) % 10
    # of each digit its first image, and one of its class with the last barcode (all pixels set) or one before it
    first = [int(np.flatnonzero(label == digit)[0]) for digit in digits]
    most = label.max() // 10 - 1
    marked = [int(np.flatnonzero(label == 10 * (1 + most - place) + digit)[0]) for place, digit in enumerate(digits)]
    side = round(images.shape[1] ** 0.5)
    chosen = images[np.array([first, marked])].reshape(2, columns, side, side)
    return tile(np.repeat(chosen[..., None], 3, axis=-1), ground=0.6)


def dominoes(folder: str | Path, columns: int = 6) -> np.ndarray:
    """Training pictures of Dominoes, automobiles and trucks in turn: the digit agrees (top) or does not (bottom)."""
    held = dominoes_data.load(Path(folder), "train", [0])
    group, images = held["group"][0], held["images"][0]
    white = float(images.max())
    rows = []
    for agree in (True, False):
        numbers = []
        for place in range(columns):
            digit = place % 2 if agree else 1 - place % 2
            members = np.flatnonzero(group == 2 * (place % 2) + digit)
            numbers.append(members[place // 2 % len(members)])
        rows.append(images[numbers] / white)
    return tile(np.stack(rows), gap=2)
