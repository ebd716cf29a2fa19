"""A small generated language that several test files share."""

SIZES = {"names": 20, "things": 30, "qualities": 12, "verbs": 8, "places": 6, "sounds": 25}
TOY = {"train": 300, "validation": 60, "words": SIZES, "windows": "texts", "context": 76}
