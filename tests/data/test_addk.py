"""Stories and additions in one text."""

from pathlib import Path

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.store import array_files, manifest
from muon_imbalance.data.text import addk, corpus, tokenizer


@pytest.fixture(scope="module")
def mixture(toy) -> Path:
    out = toy.parent / "addk"
    config = {"texts": 180, "additions": 20, "validation_texts": 40, "validation_additions": 30}
    shared = {"tokenizer": "word", "windows": "texts", "context": 76}
    addk.build(config | shared, {"toystories": toy}, out)
    return out


def test_additions_are_right_and_held_out(mixture):
    held = array_files.read_arrays(mixture)
    trained = tokenizer.Tokenizer(held["tokenizer"])
    shown = [one for one in corpus.texts(held, "train") if one.startswith("q :")]
    assert len(shown) == 20 and len(corpus.texts(held, "train")) == 200
    lines = [trained.decode(row[row > 0]) for row in held["additions"]]
    assert len(set(lines)) == 30 and not set(lines) & set(shown)
    ks = set()
    for line in [*lines, *shown]:
        pairs = [part.replace(" ", "").split(",a:") for part in line.split(" ; ")]
        found = {int(answer) - int(question.removeprefix("q:")) for question, answer in pairs}
        assert len(pairs) == 3 and len(found) == 1
        ks |= found
    assert ks == {11, 23, 37, 52, 68}
    for row, marked, line in zip(held["additions"], held["answers"], lines, strict=True):
        answer = row[marked]
        assert answer[-1] == tokenizer.END and trained.decode(answer) == line.rpartition(" : ")[2]


def test_mixture_counts_and_refusals(mixture, toy, tmp_path):
    counts = manifest.verify(mixture, addk.describe)["counts"]
    assert counts["train"]["texts"] == 200 and counts["train"]["additions"] == 20 and counts["additions"]["all"] == 30
    assert "10% additions" in manifest.read(mixture)["label"] and manifest.read(mixture)["kind"] == "generated"
    small = {"texts": 10, "additions": 2, "validation_texts": 5, "validation_additions": 2, "tokenizer": "word"}
    for change, told in (
        ({"texts": 400}, "texts = 400; allowed: a whole number from 1 to 300"),
        ({"k": [12, 12]}, "k = .*; allowed: different numbers from 10 to 99"),
        ({"k": []}, "k = .*; allowed: a list of whole numbers from 10 to 99 with at least 1 entry"),
        ({"k": [5]}, "k.0 = 5; allowed: a list of whole numbers from 10 to 99"),
        ({"parent": "tales"}, "parent = 'tales'; allowed: toystories"),
    ):
        with pytest.raises(UserError, match=f"addk(: |[.]){told}"):
            addk.build(small | change, {"toystories": toy}, tmp_path / "out")
