"""The story grammar: its tail, its probabilities, its facts."""

import numpy as np
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.store import array_files, manifest
from muon_imbalance.data.text import corpus, story_grammar, tokenizer, toystories

from .languages import SIZES, TOY, pieces


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
    held, found = array_files.read_arrays(toy), corpus.load(toy, "validation", [0])
    there = found["windows"][:, 1:] != corpus.PADDING
    for key in corpus.LIMITS:
        assert found[key].shape == there.shape and len(held[key]) == len(held["validation_tokens"]) - 1
        assert found[key][there].sum() == pytest.approx(held[key].sum())
    trained = pieces(tokenizer.Tokenizer(held["tokenizer"]))
    tokens, place = held["validation_tokens"][1:], 0
    for one in corpus.texts(held, "validation"):
        words = one.split()
        assert held["best_1"][place + words.index("was")], "a word that must come"
        named = place + words.index("named") + 1
        assert held["surprise"][named] > 0 and trained[tokens[named]].lstrip("\u2581") in (
            words[named - place],
            "<unk>",
        )
        place += len(words) + 1
    counts = manifest.verify(toy, toystories.describe)["counts"]["grammar"]
    assert counts["nats_all"] == pytest.approx(held["surprise"][tokens != 0].mean(), rel=1e-5)
    rare = held["bucket"][tokens] == 0
    assert counts["top1_rare"] == pytest.approx(held["best_1"][rare].mean())
    assert counts["top1_rare"] < counts["top1_frequent"]


def test_same_seed_same_bytes(toy, tmp_path):
    toystories.build(TOY, {}, tmp_path / "same")
    assert (tmp_path / "same" / array_files.ARRAYS).read_bytes() == (toy / array_files.ARRAYS).read_bytes()
    toystories.build(TOY | {"seed": 1}, {}, tmp_path / "other")
    assert manifest.read(tmp_path / "other")["sha256"] != manifest.read(toy)["sha256"]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"train": 0}, "train = 0; allowed: a whole number from 1"),
        ({"tokenizer": "unigram"}, "tokenizer = 'unigram'; allowed: word"),
        ({"words": {"names": 3}}, "words: key '.*' is missing"),
        ({"words": SIZES | {"verbs": 1}}, "words.verbs = 1; allowed: a whole number from 2"),
        ({"buckets": "tokens"}, "buckets = 'tokens'; allowed: types, mass"),
        ({"windows": "tales"}, "windows = 'tales'; allowed: stream, texts"),
        ({"size": 3}, "unknown key 'size'; allowed: buckets"),
    ],
)
def test_toystories_refusals(tmp_path, change, told):
    with pytest.raises(UserError, match=f"toystories(: |[.]){told}"):
        toystories.build(TOY | change, {}, tmp_path / "out")


# --- mutation: a wrong construction must not pass the checks above ----------------------------------------------


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
    held = array_files.read_arrays(toy)
    held["best_1"] = np.roll(held["best_1"], 1)
    array_files.publish(tmp_path / "bad", held, (toy / array_files.MANIFEST).read_text())
    with pytest.raises((AssertionError, UserError)):
        test_limits_stand_beside_their_tokens(tmp_path / "bad")
