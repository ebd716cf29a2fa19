"""A small generated language that several test files share."""

SIZES = {"names": 20, "things": 30, "qualities": 12, "verbs": 8, "places": 6, "sounds": 25}
TOY = {"train": 300, "validation": 60, "words": SIZES, "windows": "texts", "context": 76}


def pieces(trained) -> list[str]:
    """All pieces of a tokenizer by number; the beginning of a word is marked by U+2581."""
    return [trained.model.id_to_piece(number) for number in range(len(trained))]
