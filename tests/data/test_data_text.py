"""Text data sets: tokenizers, buckets, windows, tales, the story grammar, additions, TinyStories' official formats."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet as parquet
import pytest

from muon_imbalance.data import (
    addk,
    buckets,
    manifest,
    sources,
    store,
    story_grammar,
    tales,
    text,
    tinystories,
    tokenizer,
    toystories,
)
from muon_imbalance.data.digest import file_sha256
from muon_imbalance.errors import UserError

SIZES = {"names": 20, "things": 30, "qualities": 12, "verbs": 8, "places": 6, "sounds": 25}
TOY = {"train": 300, "validation": 60, "words": SIZES, "windows": "texts", "context": 76}


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("toy") / "toystories"
    toystories.build(TOY, {}, out)
    return out


# --- tokenizers -----------------------------------------------------------------------------------------------


def test_tokenizers_are_the_same_bytes_and_give_the_text_back():
    texts = [" ".join(story_grammar.story(story_grammar.lexicon(SIZES, 3), np.random.default_rng(s)).words)
             for s in range(40)]  # fmt: skip
    for kind, size in (("unigram", 120), ("word", None)):
        model = tokenizer.train(texts, kind, size)
        assert model == tokenizer.train(texts, kind, size) != tokenizer.train(texts[:30], kind, size)
        trained = tokenizer.Tokenizer(np.frombuffer(model, np.uint8))
        assert all(trained.decode(trained.encode(one)) == one for one in texts)
        assert trained.pieces()[:2] == ["<unk>", "</s>"]
    assert len(trained) == 2 + len({word for one in texts for word in one.split()})
    assert trained.encode("once neverseen nevereither a").count(tokenizer.UNKNOWN) == 2, "unknown words are not joined"


def test_digits_are_pieces_of_their_own():
    texts = [f"q: {n}, a: {n + 11}." for n in range(10, 99)]
    trained = tokenizer.Tokenizer(tokenizer.train(texts, "unigram", 18, split_digits=True))
    pieces = [trained.pieces()[i] for i in trained.encode("q: 47, a: 158.")]
    assert [piece.lstrip("\u2581") for piece in pieces if piece.lstrip("\u2581").isdigit()] == list("47158")


def test_tokenizer_refusals():
    with pytest.raises(UserError, match="there is no training text"):
        tokenizer.train([" "], "word")
    with pytest.raises(UserError, match="cannot make 5000 pieces"):
        tokenizer.train(["a few words"], "unigram", 5000)


def test_a_stream_has_an_end_after_every_text(toy):
    held = store.read_arrays(toy)
    tokens, starts = held["train_tokens"], held["train_starts"]
    trained = tokenizer.Tokenizer(held["tokenizer"])
    assert tokens[0] == tokenizer.END and (tokens[starts[1:] - 1] == tokenizer.END).all()
    assert starts[-1] == len(tokens) and (tokens == tokenizer.END).sum() == 301
    assert trained.decode(tokens[starts[5] : starts[6]]) == text.texts(held, "train")[5]


# --- buckets --------------------------------------------------------------------------------------------------


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
    held = store.read_arrays(toy)
    count = np.bincount(held["train_tokens"], minlength=len(held["count"]))
    assert np.array_equal(count, held["count"])
    own = count[2:]
    assert held["cuts"].tolist() == [np.median(own), np.quantile(own, 0.8)]
    assert np.array_equal(held["bucket"][2:] == 0, own < np.median(own))
    assert np.array_equal(held["bucket"][2:] == 2, own > np.quantile(own, 0.8))
    by_mass = TOY | {"buckets": "mass"}
    toystories.build(by_mass, {}, toy.parent / "mass")
    other = store.read_arrays(toy.parent / "mass")
    assert np.array_equal(other["bucket"] == 0, other["lower_half"]) and (other["bucket"] != held["bucket"]).any()


# --- windows --------------------------------------------------------------------------------------------------


def test_windows_of_a_stream_have_every_token_as_a_target_once(toy, tmp_path):
    toystories.build(TOY | {"windows": "stream", "context": 17}, {}, tmp_path / "stream")
    held = store.read_arrays(tmp_path / "stream")
    windows = text.load(tmp_path / "stream", "validation", [0])["windows"]
    targets = windows[:, 1:]
    assert windows.shape[1] == 18 and (windows[1:, 0] == windows[:-1, -1]).all()
    assert np.array_equal(targets[targets >= 0], held["validation_tokens"][1:])


def test_windows_of_texts_begin_with_the_end_before_and_are_cut(toy, tmp_path):
    toystories.build(TOY | {"context": 50}, {}, tmp_path / "cut")
    for folder, context in ((toy, 76), (tmp_path / "cut", 50)):
        held, found = store.read_arrays(folder), text.load(folder, "validation", [2])
        windows, starts = found["windows"], held["validation_starts"]
        assert windows.shape == (60, context + 1) and (windows[:, 0] == tokenizer.END).all()
        for row, first, last in zip(windows, starts[:-1], starts[1:], strict=True):
            own = held["validation_tokens"][first : min(last, first + context)]
            assert np.array_equal(row[1 : 1 + len(own)], own) and (row[1 + len(own) :] == text.PADDING).all()


# --- the grammar ----------------------------------------------------------------------------------------------


def test_default_language_has_a_tail(tmp_path):
    """At least 1,500 word types, at least half of them below ten occurrences."""
    toystories.build({}, {}, tmp_path / "full")
    pieces = manifest.read(tmp_path / "full")["counts"]["pieces"]
    assert pieces["all"] - tokenizer.CONTROLS >= 1500
    assert pieces["below_ten"] >= 0.5 * (pieces["all"] - tokenizer.CONTROLS)


class Recorder(story_grammar.Writer):
    """Writes a story and keeps the distribution of every word, drawn or not."""

    def __init__(self, lexicon, choose):
        super().__init__(lexicon, choose)
        self.seen = []

    def say(self, *words):
        self.seen += [((word,), np.ones(1)) for word in words]
        super().say(*words)

    def draw(self, words, probabilities):
        self.seen.append((tuple(words), probabilities))
        return super().draw(words, probabilities)


def sampled(seed):
    rng = np.random.default_rng(seed)
    return Recorder(story_grammar.lexicon(SIZES, 1), lambda words, p: rng.choice(len(p), p=p))


def test_next_word_probabilities_depend_on_the_words_before_alone():
    """Stories with the same beginning have the same distribution of the next word: nothing is hidden."""
    known = {}
    for seed in range(300):
        writer = sampled(seed)
        words = writer.write().words
        assert len(writer.seen) == len(words)
        for place, (candidates, p) in enumerate(writer.seen):
            assert words[place] in candidates and len(set(candidates)) == len(candidates)
            assert abs(p.sum() - 1) < 1e-12 and (np.diff(p) <= 1e-15).all()
            before = known.setdefault(tuple(words[:place]), (candidates, p))
            assert before[0] == candidates and np.array_equal(before[1], p)


def test_probabilities_are_those_of_the_stories():
    """Frequencies of the first name and of the word after the wish, among 4,000 stories, and the surprise per word."""
    lexicon = story_grammar.lexicon(SIZES, 1)
    rng = np.random.default_rng(5)
    stories = [story_grammar.story(lexicon, rng) for _ in range(4000)]
    girls = [one for one in stories if "girl" in one.words]
    names = lexicon["names"][0::2]
    drawn = np.array([names.index(one.words[one.words.index("named") + 1]) for one in girls])
    expected = story_grammar.zipf(10)
    error = np.abs(np.bincount(drawn, minlength=10) / len(drawn) - expected)
    assert (error < 4 * np.sqrt(expected / len(drawn))).all()
    turns = np.mean(
        ["then" not in one.words and "later" not in one.words and "soon" not in one.words for one in stories]
    )
    assert abs(turns - 0.4) < 0.03
    name_entropy = -(expected * np.log(expected)).sum()
    place = [one.words.index("named") + 1 for one in girls]
    found = np.mean([one.surprise[i] for one, i in zip(girls, place, strict=True)])
    assert found == pytest.approx(name_entropy, abs=0.05)
    best = np.mean([one.best_1[i] for one, i in zip(girls, place, strict=True)])
    assert best == pytest.approx(expected[0], abs=0.04) == pytest.approx((drawn == 0).mean(), abs=0.04)


def test_facts_pronouns_and_copies_are_consistent():
    lexicon = story_grammar.lexicon(SIZES, 1)
    rng = np.random.default_rng(2)
    homes, qualities = {}, {}
    for _ in range(500):
        words = story_grammar.story(lexicon, rng).words
        name, thing = words[words.index("named") + 1], words[words.index("wanted") + 2]
        home, quality = words[words.index("from") + 1], words[words.index("wanted") + 5]
        assert homes.setdefault(name, home) == home and qualities.setdefault(thing, quality) == quality
        assert words.count(name) == 2 and words[-6:-3] == [name, "had", "her" if "girl" in words else "his"]
        assert words[-3:] == [quality, thing, "."]
        assert not ({"he", "his"} if "girl" in words else {"she", "her"}) & set(words)
    assert len(set(qualities.values())) > 3
    assert story_grammar.fact(0, 30, 12) == 0 and story_grammar.fact(29, 30, 12) == 11


def test_limits_stand_beside_their_tokens(toy):
    held, found = store.read_arrays(toy), text.load(toy, "validation", [0])
    there = found["windows"][:, 1:] != text.PADDING
    for key in text.LIMITS:
        assert found[key].shape == there.shape and len(held[key]) == len(held["validation_tokens"]) - 1
        assert found[key][there].sum() == pytest.approx(held[key].sum())
    trained = tokenizer.Tokenizer(held["tokenizer"]).pieces()
    tokens, place = held["validation_tokens"][1:], 0
    for one in text.texts(held, "validation"):
        words = one.split()
        assert held["best_1"][place + words.index("was")], "a word that must come"
        named = place + words.index("named") + 1
        assert held["surprise"][named] > 0 and trained[tokens[named]].lstrip("\u2581") in (
            words[named - place],
            "<unk>",
        )
        place += len(words) + 1
    counts = manifest.verify(toy)["counts"]["grammar"]
    assert counts["nats_all"] == pytest.approx(held["surprise"][tokens != 0].mean(), rel=1e-5)
    rare = held["bucket"][tokens] == 0
    assert counts["top1_rare"] == pytest.approx(held["best_1"][rare].mean())
    assert counts["top1_rare"] < counts["top1_frequent"]


def test_same_seed_same_bytes(toy, tmp_path):
    toystories.build(TOY, {}, tmp_path / "same")
    assert (tmp_path / "same" / store.ARRAYS).read_bytes() == (toy / store.ARRAYS).read_bytes()
    toystories.build(TOY | {"seed": 1}, {}, tmp_path / "other")
    assert manifest.read(tmp_path / "other")["sha256"] != manifest.read(toy)["sha256"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"train": 0}, "train = 0; allowed: a whole number from 1"),
        ({"tokenizer": "unigram"}, "tokenizer = 'unigram'; allowed: word"),
        ({"words": {"names": 3}}, "words = .*; allowed: a number from 2 for each of names, things"),
        ({"buckets": "tokens"}, "buckets = 'tokens'; allowed: types, mass"),
        ({"windows": "tales"}, "windows = 'tales'; allowed: stream, texts"),
        ({"size": 3}, "size = 3; allowed: the keys"),
    ],
)
def test_toystories_refusals(tmp_path, change, told):
    with pytest.raises(UserError, match=f"toystories: {told}"):
        toystories.build(TOY | change, {}, tmp_path / "out")


# --- additions ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixture(toy) -> Path:
    out = toy.parent / "addk"
    config = {"texts": 180, "additions": 20, "validation_texts": 40, "validation_additions": 30}
    shared = {"tokenizer": "word", "windows": "texts", "context": 76}
    addk.build(config | shared, {"toystories": toy}, out)
    return out


def test_additions_are_right_and_held_out(mixture):
    held = store.read_arrays(mixture)
    trained = tokenizer.Tokenizer(held["tokenizer"])
    shown = [one for one in text.texts(held, "train") if one.startswith("q :")]
    assert len(shown) == 20 and len(text.texts(held, "train")) == 200
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
    counts = manifest.verify(mixture)["counts"]
    assert counts["train"]["texts"] == 200 and counts["train"]["additions"] == 20 and counts["additions"]["all"] == 30
    assert "10% additions" in manifest.read(mixture)["label"] and manifest.read(mixture)["kind"] == "generated"
    small = {"texts": 10, "additions": 2, "validation_texts": 5, "validation_additions": 2, "tokenizer": "word"}
    for change, told in (
        ({"texts": 400}, "texts = 400; allowed: a whole number from 1 to 300"),
        ({"k": [5]}, "k = .*; allowed: different numbers from 10 to 99"),
        ({"parent": "tales"}, "parent = 'tales'; allowed: toystories"),
    ):
        with pytest.raises(UserError, match=f"addk: {told}"):
            addk.build(small | change, {"toystories": toy}, tmp_path / "out")


# --- tales ----------------------------------------------------------------------------------------------------


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
    held = store.read_arrays(tmp_path / "out")
    split = {name: text.texts(held, name) for name in text.SPLITS}
    assert [len(split[name]) for name in text.SPLITS] == [10, 2] and len(held["count"]) == 44
    assert all(one == one.lower() and "  " not in one for name in text.SPLITS for one in split[name])
    content = manifest.verify(tmp_path / "out")
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
    assert seen == text.texts(store.read_arrays(tmp_path / "out"), "train")


# --- TinyStories ----------------------------------------------------------------------------------------------


def test_tinystories_official_text_files(tmp_path):
    stories = [f"Once there was a cat number {n}.\nIt had {n} toys." for n in range(40)]
    (tmp_path / "TinyStories-train.txt").write_text("\n<|endoftext|>\n".join(stories), encoding="utf-8")
    (tmp_path / "TinyStoriesV2-GPT4-valid.txt").write_text("\n<|endoftext|>\n".join(stories[:9] + [""]), "utf-8")
    assert list(tinystories.read_folder(tmp_path, "train")) == [" ".join(one.split()) for one in stories]
    config = {"folder": str(tmp_path), "train": 30, "validation": 5, "vocabulary": 40, "context": 20}
    tinystories.build(config, {}, tmp_path / "out")
    held = store.read_arrays(tmp_path / "out")
    assert len(set(text.texts(held, "train"))) == 30 and len(text.texts(held, "validation")) == 5
    content = manifest.verify(tmp_path / "out")
    assert content["kind"] == "real" and str(tmp_path) not in json.dumps(content)
    with pytest.raises(UserError, match="validation = 10; allowed: up to 9, the stories there are"):
        tinystories.build(config | {"validation": 10}, {}, tmp_path / "bad")


def test_tinystories_parquet_files(tmp_path):
    (tmp_path / "data").mkdir()
    for split, part, texts in (
        ("train", 0, ["One.", " "]),
        ("train", 1, ["Two.\nThree."]),
        ("validation", 0, ["Four."]),
    ):
        table = pyarrow.table({"text": texts})
        parquet.write_table(table, tmp_path / "data" / f"{split}-0000{part}-of-00002.parquet")
    assert list(tinystories.read_folder(tmp_path, "train")) == ["One.", "Two. Three."]
    assert list(tinystories.read_folder(tmp_path, "validation")) == ["Four."]


def test_tinystories_from_the_hub(tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    stories = {"train": [f"Once there was a cat number {n}. It had {n} toys." for n in range(30)]}
    stories["validation"] = stories["train"][:8]
    asked = []

    def load_dataset(name, split):
        asked.append((name, split))
        return datasets.Dataset.from_dict({"text": stories[split]})

    monkeypatch.setattr(datasets, "load_dataset", load_dataset)
    config = {"train": 20, "validation": 4, "vocabulary": 38, "context": 8}
    tinystories.build(config, {}, tmp_path / "out")
    assert asked == [("roneneldan/TinyStories", "train"), ("roneneldan/TinyStories", "validation")]
    assert len(set(text.texts(store.read_arrays(tmp_path / "out"), "train"))) == 20

    def offline(name, split):
        raise ConnectionError("no route")

    monkeypatch.setattr(datasets, "load_dataset", offline)
    with pytest.raises(UserError, match=r"cannot be read from the Hugging Face Hub \(ConnectionError"):
        tinystories.build(config, {}, tmp_path / "bad")


def test_tinystories_folder_refusals(tmp_path):
    with pytest.raises(UserError, match="is not a folder; allowed: one with the official files"):
        tinystories.read_folder(tmp_path / "nowhere", "train")
    with pytest.raises(UserError, match="has no validation stories; allowed: TinyStories-valid.txt"):
        tinystories.read_folder(tmp_path, "validation")


def test_sampling_is_uniform():
    drawn = [tinystories.sample(map(str, range(20)), 5, np.random.default_rng(seed)) for seed in range(2000)]
    assert all(len(set(one)) == 5 for one in drawn)
    share = np.bincount([int(x) for one in drawn for x in one], minlength=20) / 2000
    assert (np.abs(share - 0.25) < 0.05).all()
    assert tinystories.sample(["a", "b"], 5, np.random.default_rng(0)) == ["a", "b"]


# --- mutations: a wrong construction must not pass the checks above ---------------------------------------------


def test_a_hidden_choice_is_noticed(monkeypatch):
    """If the number of events were drawn beforehand, the next word would depend on something not written."""

    class Hidden(story_grammar.Writer):
        def _events(self, pronoun):
            planned = self.choose(["0", "1"], np.array([0.5, 0.5]))
            for _ in range(planned):
                self.say("then", pronoun, "met", "a")
                self._quality_after(self._one("things"))
                self.say(".")
            self.say("but")

    monkeypatch.setattr(Recorder, "_events", Hidden._events)
    with pytest.raises(AssertionError):
        test_next_word_probabilities_depend_on_the_words_before_alone()


def test_shifted_limits_are_noticed(toy, tmp_path):
    held = store.read_arrays(toy)
    held["best_1"] = np.roll(held["best_1"], 1)
    store.publish(tmp_path / "bad", held, (toy / store.MANIFEST).read_text())
    with pytest.raises((AssertionError, UserError)):
        test_limits_stand_beside_their_tokens(tmp_path / "bad")


def test_a_tokenizer_that_saw_the_validation_text_is_noticed(tables, tmp_path, monkeypatch):
    right = text.arrays

    def leaking(options, texts, *rest):
        return right(
            options, {"train": [*texts["train"], *texts["validation"]], "validation": texts["validation"]}, *rest
        )

    monkeypatch.setattr(text, "arrays", leaking)
    with pytest.raises(AssertionError):
        test_tales_are_read_lower_cased_and_kept_whole(tables, tmp_path)
