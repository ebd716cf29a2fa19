"""Text data sets: tokenizers, buckets and windows."""

import numpy as np
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.store import array_files
from muon_imbalance.data.text import buckets, corpus, story_grammar, tokenizer, toystories

from .languages import SIZES, TOY, pieces


def test_tokenizers_are_the_same_bytes_and_give_the_text_back():
    texts = [" ".join(story_grammar.story(story_grammar.lexicon(SIZES, 3), np.random.default_rng(s)).words)
             for s in range(40)]  # fmt: skip
    for kind, size in (("unigram", 120), ("word", None)):
        model = tokenizer.train(texts, kind, size)
        assert model == tokenizer.train(texts, kind, size) != tokenizer.train(texts[:30], kind, size)
        trained = tokenizer.Tokenizer(np.frombuffer(model, np.uint8))
        assert all(trained.decode(trained.encode(one)) == one for one in texts)
        assert pieces(trained)[:2] == ["<unk>", "</s>"]
    assert len(trained) == 2 + len({word for one in texts for word in one.split()})
    assert trained.encode("once neverseen nevereither a").count(tokenizer.UNKNOWN) == 2, "unknown words are not joined"


def test_digits_are_pieces_of_their_own():
    texts = [f"q: {n}, a: {n + 11}." for n in range(10, 99)]
    trained = tokenizer.Tokenizer(tokenizer.train(texts, "unigram", 18, split_digits=True))
    found = [pieces(trained)[i] for i in trained.encode("q: 47, a: 158.")]
    assert [piece.lstrip("\u2581") for piece in found if piece.lstrip("\u2581").isdigit()] == list("47158")


def test_tokenizer_refusals():
    with pytest.raises(UserError, match="there is no training text"):
        tokenizer.train([" "], "word")
    with pytest.raises(UserError, match="cannot make 5000 pieces"):
        tokenizer.train(["a few words"], "unigram", 5000)


def test_a_stream_has_an_end_after_every_text(toy):
    held = array_files.read_arrays(toy)
    tokens, starts = held["train_tokens"], held["train_starts"]
    trained = tokenizer.Tokenizer(held["tokenizer"])
    assert tokens[0] == tokenizer.END and (tokens[starts[1:] - 1] == tokenizer.END).all()
    assert starts[-1] == len(tokens) and (tokens == tokenizer.END).sum() == 301
    assert trained.decode(tokens[starts[5] : starts[6]]) == corpus.texts(held, "train")[5]


def test_buckets_by_types_and_by_mass():
    """Recounted by hand: ten pieces, the text has 100 of them."""
    count = np.array([0, 7, 1, 1, 2, 3, 4, 5, 9, 15, 20, 40])  # two controls first
    assert buckets.cuts(count, "types") == (4.5, 16.0)
    by_types = buckets.buckets(count, "types")
    assert by_types.tolist() == [-1, -1, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2]
    assert buckets.cuts(count, "mass") == (20, 40)  # 1+1+2+3+4+5+9+15 = 40 < 50 <= 60; 60 < 80 <= 100
    assert buckets.buckets(count, "mass").tolist() == [-1, -1, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1]
    assert buckets.lower_half(count).sum() == 8


def test_buckets_depend_on_training_text_alone(toy):
    held = array_files.read_arrays(toy)
    count = np.bincount(held["train_tokens"], minlength=len(held["count"]))
    assert np.array_equal(count, held["count"])
    own = count[2:]
    assert held["cuts"].tolist() == [np.median(own), np.quantile(own, 0.8)]
    assert np.array_equal(held["bucket"][2:] == 0, own < np.median(own))
    assert np.array_equal(held["bucket"][2:] == 2, own > np.quantile(own, 0.8))
    by_mass = TOY | {"buckets": "mass"}
    toystories.build(by_mass, {}, toy.parent / "mass")
    other = array_files.read_arrays(toy.parent / "mass")
    assert np.array_equal(other["bucket"] == 0, other["lower_half"]) and (other["bucket"] != held["bucket"]).any()


def test_windows_of_a_stream_have_every_token_as_a_target_once(toy, tmp_path):
    toystories.build(TOY | {"windows": "stream", "context": 17}, {}, tmp_path / "stream")
    held = array_files.read_arrays(tmp_path / "stream")
    windows = corpus.load(tmp_path / "stream", "validation", [0])["windows"]
    targets = windows[:, 1:]
    assert windows.shape[1] == 18 and (windows[1:, 0] == windows[:-1, -1]).all()
    assert np.array_equal(targets[targets >= 0], held["validation_tokens"][1:])


def test_windows_of_texts_begin_with_the_end_before_and_are_cut(toy, tmp_path):
    toystories.build(TOY | {"context": 50}, {}, tmp_path / "cut")
    for folder, context in ((toy, 76), (tmp_path / "cut", 50)):
        held, found = array_files.read_arrays(folder), corpus.load(folder, "validation", [2])
        windows, starts = found["windows"], held["validation_starts"]
        assert windows.shape == (60, context + 1) and (windows[:, 0] == tokenizer.END).all()
        for row, first, last in zip(windows, starts[:-1], starts[1:], strict=True):
            own = held["validation_tokens"][first : min(last, first + context)]
            assert np.array_equal(row[1 : 1 + len(own)], own) and (row[1 + len(own) :] == corpus.PADDING).all()
