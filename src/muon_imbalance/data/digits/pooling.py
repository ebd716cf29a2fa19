"""Smaller digits: grey values added up over square windows, in whole numbers."""

import numpy as np


def pool(images: np.ndarray, window: int) -> np.ndarray:
    """Sums of grey values of ``[N, side, side]`` over ``window x window`` pixels: ``[N, P]``, white is
    ``255 * window**2``.
    """
    n, side = len(images), images.shape[1] // window
    blocks = images.reshape(n, side, window, side, window)
    return blocks.sum(axis=(2, 4), dtype=np.uint16).reshape(n, side * side)
