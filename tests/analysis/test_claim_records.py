"""Claim files: the repository's are complete, and a mistake in one is named with its line and what is allowed."""

import copy
import json

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError

from muon_imbalance.analysis.claims import claim_records
from muon_imbalance.analysis.claims.claim import Claim
from muon_imbalance.analysis.claims.comparators import COMPARATORS
from muon_imbalance.analysis.statistics import protocol
from muon_imbalance.common.errors import UserError
from muon_imbalance.plan.families import load as load_settings

from .synthetic import CLAIMS, ROOT, stated

GOOD = [
    {
        "experiment": "colored_mnist",
        "figure": "fig_01",
        "scales": ["laptop"],
        "claims": [
            {
                "id": "C1.1",
                "statement": "Muon ends above NMD.",
                "paper_ref": "Fig. 1",
                "min_seeds": 3,
                "checks": [
                    {
                        "label": "final accuracy",
                        "measure": {"statistic": "last", "of": "accuracy on test"},
                        "needed": "muon minus nmd > 0",
                    }
                ],
                "tolerance_reason": "None is needed here.",
            }
        ],
    }
]


def load(folder, document) -> list[Claim]:
    text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)
    (folder / "some.yaml").write_text(text, encoding="utf-8")
    return claim_records.read_all(folder)


def edited(edit) -> list:
    document = copy.deepcopy(GOOD)
    edit(document[0]["claims"][0])
    return document


def test_a_good_file_loads(tmp_path):
    (claim,) = load(tmp_path, GOOD)
    assert (claim.id, claim.figure, claim.evidence, claim.stop) == ("C1.1", "fig_01", "interval", None)
    assert claim.checks[0].comparisons() == [("muon", "nmd")]


def check(**values):
    """An edit of the claim's check."""
    return lambda claim: claim["checks"][0].update(values)


def measure(**options):
    """An edit of what the check measures."""
    return check(measure=options)


OF = {"statistic": "last", "of": "accuracy on test"}
AREA = {"statistic": "area", "of": "accuracy on test"}
SETTING = {"label": "abc", "measure": {"statistic": "rarity_excess"}, "needed": "> 0"}
MISTAKES = {
    "unknown key": (lambda c: c.update(min_seed=3), "min_seed:", r"unknown key 'min_seed'; allowed: .*min_seeds"),
    "missing key": (lambda c: c.pop("min_seeds"), "id: C1.1", "key 'min_seeds' is missing"),
    "unknown key of a check": (check(treshold=0), "treshold", r"checks.0: unknown key 'treshold'; allowed: .*needed"),
    "unknown statistic": (
        measure(statistic="averge"),
        "label: ",
        "statistic 'averge' is unknown; allowed: area, .*last",
    ),
    "no statistic": (measure(of="loss on train"), "label: ", "measure: key 'statistic' is missing"),
    "unknown comparator": (check(needed="muon == 0"), "needed", r"'muon == 0'; allowed: .*>, >=, <, <="),
    "threshold that is no number": (check(needed="muon > .nan"), "needed", "'muon > .nan'; allowed: OPTIMIZERS"),
    "NaN as threshold": (check(needed="muon > nan"), "needed", "'muon > nan'; allowed: OPTIMIZERS"),
    "infinite threshold": (check(needed="muon > inf"), "needed", "'muon > inf'; allowed: OPTIMIZERS"),
    "number for a comparison": (
        check(needed=0.5),
        "needed",
        r"checks.0.needed: 0.5; allowed: OPTIMIZERS \[minus \| over",
    ),
    "unknown scale": (
        lambda c: c.update(scales=["huge"]),
        "- huge",
        "scales.0 = 'huge'; allowed: a list of smoke, laptop, reference, paper",
    ),
    "no seeds": (lambda c: c.update(min_seeds=0), "min_seeds", "min_seeds = 0; allowed: a whole number from 1"),
    "text for seeds": (
        lambda c: c.update(min_seeds="3"),
        "min_seeds",
        "min_seeds = '3'; allowed: a whole number from 1",
    ),
    "bad figure": (lambda c: c.update(figure="figure 1"), "figure 1", "figure = 'figure 1'; allowed: text of the form"),
    "bad id": (lambda c: c.update(id="one"), "id: one", "id = 'one'; allowed: text of the form"),
    "experiment of a claim": (
        lambda c: c.update(experiment="x"),
        "experiment: x",
        "the experiment stands above the list of claims",
    ),
    "unknown option": (measure(**OF, levl=1), "label: ", "statistic last: unknown key 'levl'; allowed: of"),
    "missing option": (measure(statistic="last"), "label: ", "statistic last: key 'of' is missing"),
    "bad curve": (
        measure(statistic="last", of="accuracy"),
        "label: ",
        "'accuracy' is not a curve; allowed: <metric> of <gr",
    ),
    "bad split": (
        measure(statistic="last", of="loss on trial"),
        "label: ",
        "'loss on trial' is not a curve.*train, validation",
    ),
    "bad map": (
        measure(statistic="last", of={"off": "loss on train"}),
        "label: ",
        "is not a curve; allowed: .*{difference: ",
    ),
    "bad gate": (
        measure(**AREA, gate="accuracy on test"),
        "label: ",
        "'accuracy on test' is not a gate; allowed: .* >= LEVEL",
    ),
    "bad window": (
        measure(**AREA, window="noon"),
        "label: ",
        "'noon' is not a window; allowed: all, after start, early",
    ),
    "empty window": (measure(**AREA, window="after 1/2 until 1/3"), "label: ", "'after 1/2 until 1/3' is not a window"),
    "no fraction": (measure(**AREA, window="until 1/0"), "label: ", "'until 1/0' is not a window"),
    "bad choice": (
        measure(statistic="time_to", of="loss on train", level=1, unit="hours"),
        "label: ",
        "statistic time_to.unit = 'hours'; allowed: steps, horizon",
    ),
    "no level": (
        measure(statistic="time_to", of="loss on train", level="half"),
        "label: ",
        "statistic time_to.level: 'half' is not a number; allowed: a number or a fraction such as 1/3",
    ),
    "NaN in an option": (
        measure(statistic="time_to", of="loss on train", level="nan"),
        "label: ",
        "'nan' is not a number; allowed: a number or a fraction",
    ),
    "no optimizer": (
        check(needed="> 0"),
        "label: ",
        "needed: statistic last takes optimizers, alone or minus or over others",
    ),
    "with itself": (check(needed="muon minus muon > 0"), "needed", "muon would be compared with itself"),
    "twice": (check(needed="muon, muon > 0"), "needed", "names muon more than once"),
    "pair without partner": (
        check(measure={"statistic": "catch_up", "of": "loss on train"}, needed="muon > 0"),
        "label: ",
        "needed: statistic catch_up takes optimizers minus others",
    ),
    "experiment with interval": (lambda c: c.update(checks=[SETTING]), "id: C1.1", "set evidence: every_seed"),
    "experiment with optimizers": (
        measure(statistic="rarity_excess"),
        "label: ",
        "needed: statistic rarity_excess takes no optimizers",
    ),
    "second of several comparisons": (
        check(needed=["muon > 0", "muon >> 0"]),
        "needed",
        "'muon >> 0'; allowed: OPTIMIZERS",
    ),
    "variant of nothing": (
        lambda c: c.update(variants=["muon_ns1"], treatment="adam"),
        "id: C1.1",
        "variants replace the treatment 'adam', which no check names",
    ),
    "variant twice": (lambda c: c.update(variants=["a", "a"]), "variants", "variants: 'a' stands there more than once"),
    "no checks": (
        lambda c: c.update(checks=[]),
        "checks: []",
        r"checks = \[\]; allowed: a list of maps.* with at least 1 entry",
    ),
    "a check that is text": (lambda c: c.update(checks=["x"]), "- x", "checks.0 = 'x'; allowed: "),
    "contrast without itself": (
        lambda c: c.update(contrast={"other": 1.0}),
        "id: C1.1",
        "contrast: the experiment colored_mnist itself is not among other",
    ),
    "kind of a paper's statement": (lambda c: c.update(kind="audit"), "id: C1.1", "kind = 'audit'; allowed: paper for"),
    "bad stop": (
        lambda c: c.update(stop={"optimizer": "muon", "curve": "loss", "below": 1}),
        "curve: loss",
        "'loss' is not a curve",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_line_claim_and_what_is_allowed(tmp_path, name):
    edit, place, message = MISTAKES[name]
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path, edited(edit))
    text = str(caught.value)
    line = int(text.partition("some.yaml, line ")[2].partition(",")[0])
    assert place in (tmp_path / "some.yaml").read_text().splitlines()[line - 1] and ", claim " in text, text
    assert "\n" not in text


def test_files_that_are_no_claims(tmp_path):
    with pytest.raises(UserError, match=r"some.yaml, line 4: the key 'id' is given twice"):
        load(tmp_path, "- experiment: a\n  claims:\n  - id: C1.1\n    id: C1.2\n")
    with pytest.raises(UserError, match="some.yaml, line 2: not valid YAML: "):
        load(tmp_path, "experiment: [")
    with pytest.raises(UserError, match="some.yaml, line 1: allowed at the top level: a list"):
        load(tmp_path, "experiment: a")
    with pytest.raises(UserError, match="some.yaml, line 2: 'b' is no experiment"):
        load(tmp_path, "\n- b\n")
    with pytest.raises(UserError, match=r"some.yaml, line 1: unknown key 'figur'; allowed: experiment, claims, figure"):
        load(tmp_path, "- figur: fig_01\n  experiment: a\n  claims: []\n")
    with pytest.raises(UserError, match="some.yaml, line 1: key 'claims' is missing"):
        load(tmp_path, "- experiment: a\n")
    with pytest.raises(UserError, match="claim number 1: key 'id' is missing"):
        load(tmp_path, edited(lambda c: c.pop("id")))
    with pytest.raises(UserError, match="no claim files"):
        claim_records.read_all(tmp_path / "nowhere")


def test_a_shared_value_is_named_by_its_own_line(tmp_path):
    document = copy.deepcopy(GOOD)
    document[0]["figure"] = "figure 1"
    with pytest.raises(UserError, match="some.yaml, line 2, claim C1.1: figure = 'figure 1'"):
        load(tmp_path, document)


def test_an_id_used_twice_is_refused_in_one_file_and_in_two(tmp_path):
    twice = copy.deepcopy(GOOD)
    twice[0]["claims"] *= 2
    with pytest.raises(
        UserError, match=r"some.yaml, line \d+, claim C1.1: the id is used already in .*some.yaml, line"
    ):
        load(tmp_path, twice)
    (tmp_path / "other.yaml").write_text(yaml.safe_dump(GOOD), encoding="utf-8")
    with pytest.raises(UserError, match=r"some.yaml, .*C1.1: the id is used already in .*other.yaml, line"):
        load(tmp_path, GOOD)


def test_what_claims_name_is_configured(tmp_path):
    claims = load(tmp_path, GOOD)
    claim_records.check_names(claims, ["colored_mnist"], ["fig_01"])
    with pytest.raises(UserError, match="claim C1.1: experiment 'colored_mnist' is unknown; allowed: cifar"):
        claim_records.check_names(claims, ["cifar"], ["fig_01"])
    with pytest.raises(UserError, match="claim C1.1: figure 'fig_01' is unknown; allowed: fig_02"):
        claim_records.check_names(claims, ["colored_mnist"], ["fig_02"])


def test_variants_replace_the_treatment(tmp_path):
    claims = load(tmp_path, edited(lambda c: c.update(variants=["muon_ns1", "muon_exact"])))
    assert [c.id for c in claims] == ["C1.1", "C1.1@muon_ns1", "C1.1@muon_exact"]
    assert [c.checks[0].comparisons() for c in claims] == [
        [(name, "nmd")] for name in ("muon", "muon_ns1", "muon_exact")
    ]
    assert claims[1].statement == "Muon ends above NMD. (Judged with muon_ns1 in place of muon.)"


def test_variants_of_a_claim_keep_the_variant_of_the_experiment(tmp_path):
    claim = edited(lambda c: (c.update(variants=["muon_ns1"]), c["checks"][0].update(needed="muon.tail > 0")))
    assert [c.checks[0].comparisons() for c in load(tmp_path, claim)] == [[("muon.tail",)], [("muon_ns1.tail",)]]


def test_several_comparisons_of_one_measure(tmp_path):
    (claim,) = load(tmp_path, edited(check(needed=["muon > 0", "nmd over muon, adam <= 1.0e-9"])))
    assert [c.comparisons() for c in claim.checks] == [[("muon",)], [("nmd", "muon"), ("nmd", "adam")]]
    assert [c.needed.threshold for c in claim.checks] == [0.0, 1e-9]


def test_the_schema_for_editors_says_what_the_records_say():
    schema = claim_records.schema()
    Draft202012Validator.check_schema(schema)
    validator = Draft202012Validator(schema)
    for path in sorted(CLAIMS.glob("*.yaml")):
        if path.name != claim_records.AUDIT:
            validator.validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    for edit, _, _ in (MISTAKES[name] for name in ("unknown key", "unknown option", "unknown statistic", "bad curve")):
        with pytest.raises(ValidationError):
            validator.validate(edited(edit))
    assert json.loads(json.dumps(schema)) == schema


def test_every_statistic_is_documented_and_used():
    used = {check.statistic.name for claim in stated().values() for check in claim.checks}
    assert used == set(protocol.statistics())
    assert all(statistic.function.__doc__ for statistic in protocol.statistics().values())
    assert {check.needed.comparator.symbol for claim in stated().values() for check in claim.checks} <= set(COMPARATORS)


def test_the_repository_names_known_experiments_and_optimizers():
    config = load_settings(ROOT).config
    claim_records.check_names(list(stated().values()), config["experiments"], config["figures"])
    for claim in stated().values():
        named = {name for check in claim.checks for names in check.comparisons() for name in names}
        for experiment, name in ((config["experiments"][one], name) for one in claim.experiments for name in named):
            optimizer, _, variant = name.partition(".")
            assert optimizer in (experiment.get("sweep") or experiment["optimizers"]), f"{claim.id} names {name}"
            assert variant in (experiment.get("variants") or {"": {}}), f"{claim.id} names {name}"


def test_claims_come_in_the_order_of_figures():
    figures = [claim.figure for claim in stated().values()]
    assert figures == sorted(figures)
