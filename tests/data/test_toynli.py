"""toynli: where negation words stand, proportions, labels that follow from the sentences; texts as arrays."""

import numpy as np
import pytest

from muon_imbalance.common.apportion import by_largest_remainder
from muon_imbalance.common.errors import UserError
from muon_imbalance.data.store import array_files, manifest
from muon_imbalance.data.text import nli_grammar, sentence_pairs, toynli

SMALL = {"train": 1200, "validation_per_group": 5, "test_per_group": 7}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("toynli") / "toynli"
    toynli.build(SMALL, {}, out)
    return out


def test_negation_words_stand_exactly_in_the_second_sentences_of_negation_groups(folder):
    words = {"nobody", "no", "never", "nothing"}
    assert set(nli_grammar.NEGATIONS) == words
    for split in toynli.SPLITS:
        group = toynli.load(folder, split)["group"][0]
        pairs = sentence_pairs.pairs_of(folder, split)
        assert len(pairs) == len(group)
        for (premise, hypothesis), number in zip(pairs, group, strict=True):
            assert words.isdisjoint(premise.split())
            assert bool(words & set(hypothesis.split())) == toynli.GROUPS[number].endswith("negation")


def test_every_negation_word_occurs_with_every_label(folder):
    seen = {label: set() for label in nli_grammar.LABELS}
    rng = np.random.default_rng(0)
    for label in seen:
        for _ in range(100):
            seen[label] |= set(nli_grammar.pair(rng, label, True)[1].split()) & set(nli_grammar.NEGATIONS)
    assert all(found == set(nli_grammar.NEGATIONS) for found in seen.values())


def test_proportions_and_balance(folder):
    counts = manifest.verify(folder, toynli.describe)["counts"]
    assert [counts["train"][name] for name in toynli.GROUPS] == by_largest_remainder(1200, toynli.MULTINLI).tolist()
    share = np.array(by_largest_remainder(206175, toynli.MULTINLI).tolist()) / 206175
    np.testing.assert_allclose(share, np.array([57498, 11158, 67376, 1521, 66630, 1992]) / 206175)
    assert {counts["validation"][name] for name in toynli.GROUPS} == {5}
    assert {counts["test"][name] for name in toynli.GROUPS} == {7}
    pairs = [pair for split in toynli.SPLITS for pair in sentence_pairs.pairs_of(folder, split)]
    assert len(set(pairs)) == len(pairs)


def test_labels_follow_from_verb_and_negation():
    """Read back from the words alone: a plain or negated deed of the same person or place, by the relation of verbs."""
    rng = np.random.default_rng(1)
    side = {verb: (p, s) for p, pair in enumerate(nli_grammar.OPPOSITES) for s, verb in enumerate(pair)}
    table = {("same", 0): "entailment", ("opposite", 0): "contradiction", ("other", 0): "neutral",
             ("same", 1): "contradiction", ("opposite", 1): "entailment", ("other", 1): "neutral"}  # fmt: skip
    agreed = {0: [], 1: []}
    for label in nli_grammar.LABELS:
        for negated in (0, 1):
            for _ in range(200):
                premise, hypothesis = nli_grammar.pair(rng, label, bool(negated))
                (told,), (said,) = ([side[w] for w in s.split() if w in side] for s in (premise, hypothesis))
                relation = "same" if told == said else "opposite" if told[0] == said[0] else "other"
                agreed[negated].append(table[relation, negated] == label)
    assert all(agreed[1])  # plain ones may differ in a detail or the person instead
    assert 0.7 < np.mean(agreed[0]) < 1


def test_details_make_the_plain_labels_too():
    """Where the verb does not decide: kind for thing keeps entailment; colour, place, person or an addition do not."""
    rng = np.random.default_rng(2)
    for _ in range(300):
        premise, hypothesis = nli_grammar.pair(rng, "entailment", False)
        for kind, things in nli_grammar.KINDS.items():
            if f" {kind} " in f" {hypothesis} ":
                assert set(things) & set(premise.split())
        assert set(hypothesis.split()) & set(nli_grammar.COLOURS) <= set(premise.split())
        people = set(hypothesis.split()) & set(nli_grammar.PEOPLE)
        assert not people or premise.find(next(iter(people))) < max(premise.find(v) for v in hypothesis.split()[2:4])


def test_words_are_all_in_the_vocabulary_and_texts_come_back():
    rng, known = np.random.default_rng(3), set(nli_grammar.words())
    for label in nli_grammar.LABELS:
        for negated in (False, True):
            for _ in range(100):
                assert set(" ".join(nli_grammar.pair(rng, label, negated)).split()) <= known
    said = ["", "naïve – no", "a"]
    assert sentence_pairs.unpacked(sentence_pairs.packed(said, "x"), "x") == said
    assert (
        sentence_pairs.negated("Nobody came.")
        and sentence_pairs.negated("There is NO way")
        and not sentence_pairs.negated("nothingness, know")
    )


def test_refusals(folder, tmp_path):
    with pytest.raises(UserError, match="toynli.train = 10; allowed: a whole number from 100"):
        toynli.build({"train": 10}, {}, tmp_path / "x")
    with pytest.raises(UserError, match="split = 'dev'"):
        toynli.load(folder, "dev")
    altered = dict(array_files.read_arrays(folder))
    altered["train_label"] = 1 - altered["train_label"]
    text = (folder / "manifest.json").read_text(encoding="utf-8")
    array_files.publish(tmp_path / "bad", altered, text)
    with pytest.raises(UserError, match="sha256"):
        manifest.verify(tmp_path / "bad", toynli.describe)
