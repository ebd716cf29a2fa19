"""A generated language of small stories whose next-word probabilities are known exactly.

Every choice is the choice of one word, and what comes next depends on words already written alone; so the probability
of each word, given all words before it, is the one it was drawn with. Names, things, places and the rest are invented
words (made of syllables), drawn with weights ``1 / (rank + 1)``. A name has its home and its pastime, a thing its
quality, a place what is done there: facts that a model must have seen to know, for rare words rarely. Heroes keep their
pronoun, and things come back: that can be copied.
"""

from collections.abc import Mapping, Sequence
from itertools import islice

import numpy as np

SIZES = {"names": 200, "things": 500, "qualities": 200, "verbs": 200, "places": 150, "sounds": 450}
"""Words of each kind; half of the names are girls'. ``sounds`` occur in one place and have no facts."""
FRAME = (
    "once long ago one day a girl boy named she he came from and liked to wanted , . then later soon met said went "
    "found that was but the lost broken in mended it had her his"
).split()
OPENINGS = {"once": (), "long": ("ago",), "one": ("day",)}
EVENTS = 2
"""At most so many events; after each, the story goes on with one of them or with its turn, "but"."""
CONSONANTS, VOWELS = "bdfgklmnprstvz", "aeiou"


def invented(count: int, seed: int) -> list[str]:
    """``count`` different words of two or three syllables, none of them in :data:`FRAME`."""
    rng, words = np.random.default_rng(seed), {}
    while len(words) < count:
        syllables = rng.integers(2, 4)
        word = "".join(CONSONANTS[rng.integers(len(CONSONANTS))] + VOWELS[rng.integers(5)] for _ in range(syllables))
        if word not in FRAME:
            words.setdefault(word)
    return list(words)


def fact(index: int, of: int, among: int) -> int:
    """What word ``index`` of ``of`` is tied to, among so many: rare words to rare ones, in the order of rank."""
    return index * among // of


def zipf(count: int) -> np.ndarray:
    """Probabilities in the order of rank."""
    weights = 1 / np.arange(2, count + 2)
    return weights / weights.sum()


class Writer:
    """Writes one story; ``choose`` picks the number of a word from probabilities.

    Attributes:
        words: of the story; for each ``best_1`` and ``best_5``, whether it was among the 1 and 5 most probable, and
            ``surprise``, its ``-ln p``.
    """

    def __init__(self, lexicon: Mapping[str, Sequence[str]], choose):
        self.lexicon, self.choose = lexicon, choose
        self.words, self.best_1, self.best_5, self.surprise = [], [], [], []

    def say(self, *words: str) -> None:
        """Words that must come now."""
        for word in words:
            self._add(word, True, True, 0.0)

    def draw(self, words: Sequence[str], probabilities: np.ndarray) -> int:
        """One of these words, which are in the order of falling probability; its number."""
        number = int(self.choose(words, probabilities))
        self._add(words[number], number == 0, number < 5, -float(np.log(probabilities[number])))
        return number

    def _add(self, word: str, best_1: bool, best_5: bool, surprise: float) -> None:
        self.words.append(word)
        self.best_1.append(best_1)
        self.best_5.append(best_5)
        self.surprise.append(surprise)

    def _one(self, kind: str) -> int:
        return self.draw(self.lexicon[kind], zipf(len(self.lexicon[kind])))

    def _tied(self, kind: str, index: int, of: int) -> str:
        return self.lexicon[kind][fact(index, of, len(self.lexicon[kind]))]

    def write(self) -> "Writer":
        """Opening, hero, wish, events, trouble, repair, ending."""
        first = list(OPENINGS)[self.draw(list(OPENINGS), np.array([0.5, 0.3, 0.2]))]
        self.say(*OPENINGS[first], "a")
        girl = self.draw(["girl", "boy"], np.array([0.5, 0.5])) == 0
        self.say("named")
        half = len(self.lexicon["names"]) // 2
        names = self.lexicon["names"][0 if girl else 1 : 2 * half : 2]
        hero = self.draw(names, zipf(half))
        pronoun, own = ("she", "her") if girl else ("he", "his")
        home, pastime = self._tied("places", hero, half), self._tied("verbs", hero, half)
        self.say("came", "from", home, "and", "liked", "to", pastime, ".", pronoun, "wanted", "a")
        wish = self._one("things")
        thing, quality = self.lexicon["things"][wish], self._quality(wish)
        self.say(",", "a", quality, thing, ".")
        self._events(pronoun)
        self.say("the", thing, "was")
        trouble = self.draw(["lost", "broken"], np.array([0.6, 0.4]))
        self.say(".", "in")
        self._one("places")
        self.say(pronoun, ("found", "mended")[trouble], "it", ".", names[hero], "had", own, quality, thing, ".")
        return self

    def _quality(self, thing: int) -> str:
        return self._tied("qualities", thing, len(self.lexicon["things"]))

    def _events(self, pronoun: str) -> None:
        """Up to :data:`EVENTS` events, each known by its first word, then "but"."""
        for _ in range(EVENTS):
            word = self.draw(["but", "then", "later", "soon"], np.array([0.4, 0.24, 0.2, 0.16]))
            if word == 0:
                return
            self.say(pronoun)
            if word == 1:
                self.say("met", "a")
                self._quality_after(self._one("things"))
                self.say("and", "said")
                sounds = self.lexicon["sounds"]
                self.draw(sounds, np.full(len(sounds), 1 / len(sounds)))
            elif word == 2:
                self.say("went", "to")
                place = self._one("places")
                self.say("to", self._tied("verbs", place, len(self.lexicon["places"])))
            else:
                self.say("found", "a")
                self._quality_after(self._one("things"))
            self.say(".")
        self.say("but")

    def _quality_after(self, thing: int) -> None:
        self.say("that", "was", self._quality(thing))


def lexicon(sizes: Mapping[str, int], seed: int) -> dict[str, list[str]]:
    """Invented words by kind."""
    words = iter(invented(sum(sizes.values()), seed))
    return {kind: list(islice(words, count)) for kind, count in sizes.items()}


def story(words: Mapping[str, Sequence[str]], rng: np.random.Generator) -> Writer:
    """One story, drawn."""
    choose = lambda _, p: min(np.searchsorted(np.cumsum(p), rng.random(), side="right"), len(p) - 1)  # noqa: E731
    return Writer(words, choose).write()
