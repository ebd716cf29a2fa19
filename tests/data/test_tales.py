"""Tales: their tables, and a tokenizer that sees the training tales alone."""

import json
from dataclasses import replace

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import sources
from muon_imbalance.data.sources.digest import file_sha256
from muon_imbalance.data.store import array_files, manifest
from muon_imbalance.data.text import corpus, tales, tokenizer


@pytest.fixture
def tables(tmp_path, monkeypatch):
    """Two small tables in the format of the package, with their hashes in the table of sources."""
    story = "A king ‘spoke’ of the {n} golden apples,\r and of nothing else but {m} trees. "
    told = [story.format(n=n, m=n * n) * 6 for n in range(9)]
    grimm = ["ATU Topic\tTitle\tAbstract\tContent\tATU Numerical\tATU Type", "discrete\tstring", "class", ""]
    grimm += [f'Magic\tT{n}\tshort\t"{one} He said ""yes""."\t1\tx' for n, one in enumerate(told)]
    andersen = [
        "Title\tContent",
        "string\tstring",
        "\tinclude=True",
        *(f"T{n}\t{one}" for n, one in enumerate(told[:3])),
    ]
    paths = {}
    for role, lines in (("grimm", grimm), ("andersen", [*andersen, "a short row"])):
        paths[role] = tmp_path / role
        paths[role].write_text("\n".join(line.replace("\r", "") for line in lines), encoding="utf-8", newline="\r\n")
    source = sources.get("tales_orange")
    members = {role: (path, file_sha256(paths[role])) for role, (path, _) in source.members.items()}
    monkeypatch.setitem(sources.SOURCES, "tales_orange", replace(source, members=members))
    return paths


def test_tales_are_read_lower_cased_and_kept_whole(tables, tmp_path):
    assert len(tales.read(tables["grimm"], 3)) == 9 and tales.read(tables["grimm"], 3)[0].endswith('He said "yes".')
    assert len(tales.read(tables["andersen"], 1)) == 3
    tales.build({"validation": 2, "vocabulary": 44, "context": 16}, tables, tmp_path / "out")
    held = array_files.read_arrays(tmp_path / "out")
    split = {name: corpus.texts(held, name) for name in corpus.SPLITS}
    assert [len(split[name]) for name in corpus.SPLITS] == [10, 2] and len(held["count"]) == 44
    assert all(one == one.lower() and "  " not in one for name in corpus.SPLITS for one in split[name])
    content = manifest.verify(tmp_path / "out", tales.describe)
    assert content["kind"] == "real-other" and "not TinyStories" in content["label"] and content["shape"] == [16]
    assert json.dumps(content["counts"])
    with pytest.raises(UserError, match="validation = 12; allowed: a whole number from 1 to 11"):
        tales.build({"validation": 12}, tables, tmp_path / "bad")
    with pytest.raises(UserError, match="gave no file for andersen"):
        tales.build({}, {"grimm": tables["grimm"]}, tmp_path / "bad")
    tables["grimm"].write_text("altered")
    with pytest.raises(UserError, match="sha256 is .*, expected"):
        tales.build({}, tables, tmp_path / "bad")


def test_tokenizer_sees_training_tales_only(tables, tmp_path, monkeypatch):
    seen = []
    right = tokenizer.train
    monkeypatch.setattr(tokenizer, "train", lambda texts, *rest: seen.extend(texts) or right(texts, *rest))
    tales.build({"validation": 2, "vocabulary": 44, "context": 16}, tables, tmp_path / "out")
    assert seen == corpus.texts(array_files.read_arrays(tmp_path / "out"), "train")


# --- mutation: a wrong construction must not pass the checks above ----------------------------------------------


def test_a_tokenizer_that_saw_the_validation_text_is_noticed(tables, tmp_path, monkeypatch):
    right = corpus.arrays

    def leaking(options, texts, *rest):
        return right(
            options, {"train": [*texts["train"], *texts["validation"]], "validation": texts["validation"]}, *rest
        )

    monkeypatch.setattr(corpus, "arrays", leaking)
    with pytest.raises(AssertionError):
        test_tales_are_read_lower_cased_and_kept_whole(tables, tmp_path)
