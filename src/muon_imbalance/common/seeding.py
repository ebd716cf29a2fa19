"""Seeds that depend on what they are for, not on the order or number of draws elsewhere."""

import hashlib


def stable_seed(*parts: str | int) -> int:
    """128-bit seed from the parts, equal on every machine and in every process.

    Example:
        ``numpy.random.default_rng(stable_seed("colored_mnist", 0, "train", repetition))``
    """
    text = "\x1f".join(f"{type(part).__name__}:{part}" for part in parts)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")
