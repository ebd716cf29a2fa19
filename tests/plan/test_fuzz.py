"""Every number, word, list and map of the real configuration, spoilt: refused in one sentence before anything runs."""

import copy
import random
from dataclasses import replace
from functools import cache

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.plan.families import load
from muon_imbalance.plan.planning import Plan

from .configurations import ROOT

pytestmark = pytest.mark.slow

FREE_TEXT = {
    "title",
    "label",
    "scale_note",
    "called",
    "stand_in_for",
    "figures_dir",
    "data_dir",
    "path",
    "slug",
    "adam_on",
    "names",
}
REAL = {
    "ratio",
    "weight_decay",
    "mu",
    "sigma2",
    "mean_norm",
    "init_std",
    "delta",
    "clip",
    "budget_core_s",
    "adam_lr",
    "step",
    "checkpoint_seconds",
}
"""Numbers that need not be whole where the file writes whole ones."""
MAY_BE_EMPTY = {"metrics", "evaluate", "experiments", "theory", "against", "stand_in_for", "looks"}
NUMBER = {"nan": float("nan"), "infinite": float("inf"), "text": "abc", "negative": -3.5, "list": [1]}
WHOLE = NUMBER | {"float": 2.0, "truth value": True, "huge": 10**15}
UNREAD = {("deep_gd", "mixture"), ("deep_specgd", "mixture")}
"""Of these, every variant has values of its own."""
TRIES, SEED = 260, 0


@cache
def loaded():
    return load(ROOT, {"scale": "laptop"})


def leaves(node, path=()):
    """Values and maps of a configuration with their paths; sweeps are text and stand in ``test_refusals``."""
    if isinstance(node, dict):
        yield path, node
        for key, value in node.items():
            if key not in ("sweep", "optimizers", "grid") and (*path, key)[1:3] not in UNREAD:
                yield from leaves(value, (*path, key))
    else:
        yield path, node


def spoilt(path, value):
    """Kinds of mistakes for a value: name -> the value in its place."""
    key = path[-1] if path else ""
    if isinstance(value, dict):
        named = len(path) < 2 or path[-1] in ("variants", "experiments", "datasets", "mixtures", "parents", "words")
        within = {"provenance", "background", "prior"} & set(path)
        return {} if named or within or path[0] == "card" else {"unknown key": value | {"no_such_key": 1}}
    if isinstance(value, bool):
        return {"text": "maybe", "number": 7}
    if isinstance(value, int):
        huge = {"huge"} if path[0] == "datasets" or key == "seed" else set()  # what a source has, its job knows
        without = huge | ({"float", "huge"} if key in REAL else set())
        return {kind: bad for kind, bad in WHOLE.items() if kind not in without}
    if isinstance(value, float):
        return NUMBER
    if isinstance(value, list):
        empty = {} if key in MAY_BE_EMPTY else {"empty": []}
        return empty | {"a map": {"x": 1}, "a number": 7}
    if isinstance(value, str) and key not in FREE_TEXT:
        return {"unknown word": "no_such_word", "number": 7, "empty list": []}
    return {}


def cases():
    every = [(path, kind, bad) for path, value in leaves(loaded().config) for kind, bad in spoilt(path, value).items()]
    return random.Random(SEED).sample(every, TRIES)


@pytest.mark.parametrize(
    ("path", "kind", "bad"), cases(), ids=lambda part: ".".join(map(str, part)) if isinstance(part, tuple) else None
)
def test_a_spoilt_setting_is_refused(path, kind, bad):
    config = copy.deepcopy(loaded().config)
    node = config
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = bad
    with pytest.raises(UserError) as error:
        Plan.of(ROOT, replace(loaded(), config=config))
    text = str(error.value)
    assert "\n" not in text and "Traceback" not in text and len(text) < 2000
    assert any(str(part) in text for part in path[-2:]), f"{text!r} does not say where"
