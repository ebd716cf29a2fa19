"""Sentence pairs of ``toynli``: a premise of two clauses and a distractor, and a hypothesis about the first clause.

The clause says that somebody did something to an object, in one of four forms: a person and a thing, everyone at a
place, everything at a place, or every thing of a kind. Verbs come in pairs of opposites. The hypothesis repeats the
clause with the same verb, its opposite, or a verb of another pair, either as it is or negated by the word that fits
the form (never, nobody, nothing, no). So the label follows from the relation of the verbs and the negation:

                    same            opposite         unrelated
    plain           entailment      contradiction    neutral
    negated         contradiction   entailment       neutral

Plain hypotheses also drop or change details (place, kind, colour), which leaves entailment, or makes contradiction or
neutral; a neutral one may also give the deed to the person of the second clause. No premise holds a negation word, and
every label uses the same forms, people, things and verbs.
"""

from dataclasses import dataclass, replace

import numpy as np

NEGATIONS = ("nobody", "no", "never", "nothing")
LABELS = ("contradiction", "entailment", "neutral")

PEOPLE = (
    "farmer nurse pilot teacher painter baker lawyer sailor gardener singer doctor waiter student soldier "
    "tailor dancer cook driver writer clerk miner guard judge actor"
).split()
KINDS = {  # kind -> things
    "vehicle": "bicycle truck tractor wagon scooter van".split(),
    "instrument": "violin piano trumpet guitar flute drum".split(),
    "tool": "hammer ladder shovel saw drill wrench".split(),
    "garment": "coat hat scarf dress jacket sweater".split(),
    "fruit": "apple melon peach lemon pear plum".split(),
    "book": "novel diary dictionary atlas cookbook textbook".split(),
}
OPPOSITES = (("kept", "sold"), ("accepted", "refused"), ("found", "lost"), ("repaired", "broke"))
PLACES = "market harbor station library garden kitchen museum village hospital theater castle factory".split()
COLOURS = "red blue green yellow black white".split()
TRAITS = "old young tired cheerful quiet tall clever hungry".split()
TIMES = ("yesterday", "last week", "on monday", "at noon", "in the spring", "after dinner")
PARAPHRASES = {  # of connectives
    "while": "at the same moment that",
    "because": "for the simple reason that",
    "although": "in spite of the fact that",
    "before": "some time earlier than the day",
    "after": "as soon as the hour had passed in which",
    "and": "and it is also true that",
}
CONNECTIVES, PARAPHRASED = tuple(PARAPHRASES), 0.1
DETAILS = ("with a friend", "for a neighbor", "for the second time", "by accident", "with great care", "for money")
DOINGS = "slept waited sang danced worked rested laughed walked".split()
DISTRACTORS = tuple(
    f"{subject} {rest} ."
    for subject in ("the weather", "the road", "the river", "the evening", "the old house", "the train")
    for rest in ("was quiet", "was cold", "looked strange", "seemed different")
)
FORMS = ("person", "everyone", "everything", "every")
WORD = dict(zip(FORMS, ("never", "nobody", "nothing", "no"), strict=True))


@dataclass(frozen=True)
class Clause:
    """Who did what to what, where and when; ``pair`` and ``side`` name the verb, ``kind`` the thing's."""

    form: str
    person: str
    trait: str
    pair: int
    side: int
    thing: str
    kind: str
    colour: str
    place: str
    time: str

    @property
    def verb(self) -> str:
        return OPPOSITES[self.pair][self.side]

    def premise(self) -> str:
        """The clause as the premise has it."""
        person = f"{self.trait} {self.person}" if self.trait else self.person
        thing = f"{self.colour} {self.thing}" if self.colour else self.thing
        here = f" in the {self.place}" if self.place else ""
        sentence = {
            "person": f"the {person} {self.verb} the {thing}{here}",
            "everyone": f"everyone{here} {self.verb} the {thing}",
            "everything": f"the {person} {self.verb} everything{here}",
            "every": f"the {person} {self.verb} every {self.thing}{here}",
        }[self.form]
        return f"{sentence} {self.time}" if self.time else sentence


def words() -> list[str]:
    """Every word (and sign) that a sentence can hold, sorted."""
    lists = (PEOPLE, *KINDS.values(), KINDS, *OPPOSITES, PLACES, COLOURS, TRAITS, TIMES, CONNECTIVES, DETAILS, DOINGS)
    said = [*(text for one in lists for text in one), *PARAPHRASES.values(), *DISTRACTORS, *NEGATIONS]
    return sorted({word for text in said for word in text.split()} | set("the in a every everyone everything".split())
                  | {"people", "things", "."})  # fmt: skip


def _pick(rng: np.random.Generator, values):
    return values[rng.integers(len(values))]


def _other(rng: np.random.Generator, values, taken):
    """One of ``values`` that is not ``taken``."""
    return _pick(rng, [value for value in values if value != taken])


def clause(rng: np.random.Generator) -> Clause:
    """A random clause."""
    kind, form = _pick(rng, list(KINDS)), _pick(rng, FORMS)
    return Clause(
        form=form,
        person=_pick(rng, PEOPLE),
        trait=_pick(rng, TRAITS) if rng.random() < 0.2 else "",
        pair=int(rng.integers(len(OPPOSITES))),
        side=int(rng.integers(2)),
        thing=_pick(rng, KINDS[kind]),
        kind=kind,
        colour=_pick(rng, COLOURS) if rng.random() < 0.2 else "",
        place=_pick(rng, PLACES) if form in ("everyone", "everything") or rng.random() < 0.2 else "",
        time=_pick(rng, TIMES) if rng.random() < 0.1 else "",
    )


def _statement(c: Clause, verb: str, negated: bool, thing: str, here: str) -> str:
    """A hypothesis in the clause's form; ``here``: a place with its preposition, or nothing."""
    word = WORD[c.form]
    if c.form == "person":
        return f"the {c.person} {word + ' ' if negated else ''}{verb} the {thing}{here}"
    if c.form == "everyone":
        return f"{word if negated else 'people'}{here} {verb} the {thing}"
    if c.form == "everything":
        return f"the {c.person} {verb} {word if negated else 'things'}{here}"
    return f"the {c.person} {verb} {word if negated else 'a'} {thing}{here}"


def hypothesis(rng: np.random.Generator, c: Clause, bystander: str, label: str, negated: bool) -> str:
    """A sentence with the given relation to the clause; ``bystander``: the person of the second clause."""
    opposite = OPPOSITES[c.pair][1 - c.side]
    unrelated = _pick(rng, OPPOSITES[_other(rng, range(len(OPPOSITES)), c.pair)])
    named = c.place and (c.form in ("everyone", "everything") or rng.random() < 0.5)
    here = f" in the {c.place}" if named else ""
    if negated:
        verb = {"contradiction": c.verb, "entailment": opposite, "neutral": unrelated}[label]
        return _statement(c, verb, True, c.thing, here)
    if label == "entailment":
        general = c.form in ("person", "every") and rng.random() < 0.3
        return _statement(c, c.verb, False, c.kind if general else c.thing, here)
    if label == "contradiction":
        if c.form == "person" and c.colour and rng.random() < 0.5:
            return _statement(c, c.verb, False, f"{_other(rng, COLOURS, c.colour)} {c.thing}", here)
        if c.form == "person" and c.place and rng.random() < 0.5:
            return _statement(c, c.verb, False, c.thing, f" in the {_other(rng, PLACES, c.place)}")
        return _statement(c, opposite, False, c.thing, here)
    chance = rng.random()
    if chance < 0.2:
        return f"{_statement(c, c.verb, False, c.thing, here)} {_pick(rng, DETAILS)}"
    if chance < 0.4 and c.form != "everyone":
        return _statement(replace(c, person=bystander), c.verb, False, c.thing, here)
    return _statement(c, unrelated, False, c.thing, here)


def pair(rng: np.random.Generator, label: str, negated: bool) -> tuple[str, str]:
    """A premise and a hypothesis."""
    c = clause(rng)
    bystander = _other(rng, PEOPLE, c.person)
    connective = _pick(rng, CONNECTIVES)
    connective = PARAPHRASES[connective] if rng.random() < PARAPHRASED else connective
    sentences = [f"{c.premise()} {connective} the {bystander} {_pick(rng, DOINGS)} .", _pick(rng, DISTRACTORS)]
    if rng.random() < 0.5:
        sentences.reverse()
    return " ".join(sentences), f"{hypothesis(rng, c, bystander, label, negated)} ."
