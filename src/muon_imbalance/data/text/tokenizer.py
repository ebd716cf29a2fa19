"""SentencePiece tokenizers: trained on training text alone, the same bytes from the same text, kept as those bytes.

A tokenizer is what SentencePiece serialises, a protocol buffer (``bytes``); nothing is pickled. ``unigram`` splits
words into pieces, ``word`` takes every word of the training text whole. Piece 0 stands for what is unknown, piece 1
ends a text.
"""

import io
from collections.abc import Iterable, Sequence

import numpy as np

from muon_imbalance.common.errors import UserError

UNKNOWN, END = 0, 1
PADDING = -1
"""In place of a piece, where a row of them is longer than its text."""
CONTROLS = 2
"""Number of pieces that stand for no text."""


def train(texts: Sequence[str], kind: str, vocabulary: int | None = None, split_digits: bool = False) -> bytes:
    """A tokenizer for these training texts.

    Args:
        kind: ``unigram`` with ``vocabulary`` pieces, or ``word``.
        split_digits: every digit is a piece of its own (``unigram``; a ``word`` is what stands between spaces).

    Raises:
        UserError: the text is too small for that many pieces, or empty.
    """
    import sentencepiece  # a tenth of a second, and training does not need it

    if not any(text.strip() for text in texts):
        raise UserError("tokenizer: there is no training text")
    options = {"model_type": kind, "vocab_size": vocabulary, "split_digits": split_digits}
    if kind == "word":
        types = {word for text in texts for word in text.split()}
        options = {"model_type": kind, "vocab_size": len(types) + CONTROLS, "use_all_vocab": True}
    written = io.BytesIO()
    try:
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(texts),
            model_writer=written,
            normalization_rule_name="identity",
            character_coverage=1.0,
            max_sentence_length=2**30,
            unk_id=UNKNOWN,
            eos_id=END,
            bos_id=-1,
            pad_id=-1,
            num_threads=1,
            minloglevel=2,
            **options,
        )
    except (RuntimeError, OSError) as error:
        raise UserError(f"tokenizer: SentencePiece cannot make {vocabulary} pieces of this text ({error})") from None
    return written.getvalue()


class Tokenizer:
    """A trained tokenizer, from its bytes (or the ``uint8`` array that holds them)."""

    def __init__(self, serialised: bytes | np.ndarray):
        import sentencepiece

        self.model = sentencepiece.SentencePieceProcessor(model_proto=bytes(serialised))

    def __len__(self) -> int:
        return self.model.vocab_size()

    def encode(self, text: str) -> list[int]:
        """Numbers of the text's pieces, without one for its end; word by word (it joins unknown neighbours)."""
        return [piece for word in self.model.encode(text.split()) for piece in word]

    def decode(self, pieces: Iterable[int]) -> str:
        """Text of pieces."""
        return self.model.decode([int(piece) for piece in pieces if piece != END])


def stream(tokenizer: Tokenizer, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
    """Pieces of all texts in a row, each text with its end, and before the first one an end as well.

    Returns:
        ``tokens [n]`` int32, and ``starts [D + 1]`` int64: text ``i`` is ``tokens[starts[i] : starts[i + 1]]``.
    """
    encoded = [[*tokenizer.encode(text), END] for text in texts]
    starts = 1 + np.cumsum([0, *map(len, encoded)])
    tokens = np.fromiter((piece for one in ([[END]] + encoded) for piece in one), np.int32)
    return tokens, starts.astype(np.int64)
