"""Claim files: the repository's are complete, and a mistake in one is named with what is allowed."""

import copy

import pytest
import yaml

from muon_imbalance.analysis.claims import claim_records
from muon_imbalance.analysis.claims.comparators import COMPARATORS
from muon_imbalance.analysis.statistics.quantities import STATISTICS
from muon_imbalance.common.errors import UserError
from muon_imbalance.plan.families import load as load_settings

from .synthetic import CLAIMS, ROOT, SCHEMA, stated

GOOD = {
    "experiment": "colored_mnist",
    "claims": [
        {
            "id": "C1.1",
            "figure": "fig_01",
            "statement": "Muon ends above NMD.",
            "paper_ref": "Fig. 1",
            "scales": ["laptop"],
            "min_seeds": 3,
            "tolerance_reason": "None is needed here.",
            "checks": [
                {
                    "label": "final accuracy",
                    "statistic": "final",
                    "options": {"curve": {"metric": "accuracy", "split": "test"}},
                    "optimizers": ["muon"],
                    "minus": ["nmd"],
                    "comparator": ">",
                    "threshold": 0,
                }
            ],
        }
    ],
}


def load(folder, document) -> list[claim_records.Claim]:
    text = document if isinstance(document, str) else yaml.safe_dump(document)
    (folder / "some.yaml").write_text(text, encoding="utf-8")
    return claim_records.load(folder, SCHEMA)


def edited(edit) -> dict:
    document = copy.deepcopy(GOOD)
    edit(document["claims"][0])
    return document


def test_a_good_file_loads(tmp_path):
    (claim,) = load(tmp_path, GOOD)
    assert (claim.id, claim.evidence, claim.stop, claim.checks[0].minus) == (
        "C1.1",
        "interval",
        None,
        ("nmd",),
    )


def check(**values):
    """An edit of the claim's check."""
    return lambda claim: claim["checks"][0].update(values)


CURVE = {"metric": "a", "split": "test"}
SETTING = {"label": "abc", "statistic": "rarity_excess", "comparator": ">", "threshold": 0}
MISTAKES = {
    "unknown key": (lambda c: c.update(min_seed=3), r"unknown keys \['min_seed'\]; allowed: id, .*min_seeds"),
    "missing key": (lambda c: c.pop("scales"), r"keys \['scales'\] are missing; allowed: id"),
    "unknown key of a check": (
        check(treshold=0),
        r"checks.0: unknown keys \['treshold'\]; allowed: .*threshold",
    ),
    "unknown statistic": (
        check(statistic="averge"),
        "checks.0.statistic: 'averge' is unknown; allowed: .*final",
    ),
    "unknown comparator": (check(comparator="=="), "'==' is unknown; allowed: >, >=, <, <="),
    "unknown scale": (
        lambda c: c.update(scales=["huge"]),
        "'huge' is unknown; allowed: smoke, laptop, paper",
    ),
    "text for a number": (check(threshold="1e-9"), "threshold: '1e-9' is not of type 'number'"),
    "no seeds": (lambda c: c.update(min_seeds=0), "min_seeds: 0 is less than the minimum of 1"),
    "bad figure": (lambda c: c.update(figure="figure 1"), "figure: 'figure 1' does not match"),
    "unknown option": (check(options={"curve": CURVE, "levl": 1}), r"options \['levl'\]; allowed: curve"),
    "missing option": (
        check(options={}),
        r"statistic final: options \['curve'\] are missing; allowed: curve",
    ),
    "bad curve": (check(options={"curve": {"metric": "a"}}), "a curve with the keys metric, split, group"),
    "bad gate": (
        check(statistic="gated_area", options={"curve": CURVE, "gate": {"curve": CURVE}}),
        "gate is .*; it must have the keys curve, at_least",
    ),
    "bad choice": (
        check(statistic="gap", options={"curve": CURVE, "until": "noon"}),
        "until is 'noon'; allowed: horizon, first_saturation",
    ),
    "no optimizer": (lambda c: c["checks"][0].pop("optimizers"), "statistic final takes 'optimizers'"),
    "with itself": (check(minus=["muon"]), r"\['muon'\] would be compared with itself"),
    "pair without partner": (
        lambda c: c["checks"][0].update(statistic="gap") or c["checks"][0].pop("minus"),
        "statistic gap takes 'optimizers' and 'minus'",
    ),
    "setting with interval": (lambda c: c.update(checks=[SETTING]), "set evidence: every_seed"),
    "setting with optimizers": (
        check(statistic="rarity_excess", options={}),
        "statistic rarity_excess takes neither 'optimizers' nor 'minus'",
    ),
    "variant of nothing": (
        lambda c: c.update(variants=["muon_ns1"], treatment="adam"),
        "variants replace the treatment 'adam', which no check names",
    ),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_a_mistake_names_the_claim_and_what_is_allowed(tmp_path, name):
    edit, message = MISTAKES[name]
    with pytest.raises(UserError, match=message) as caught:
        load(tmp_path, edited(edit))
    assert "some.yaml, claim C1.1" in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value, bad", [("1/3", False), ("a third", True), ("1/0", True)])
def test_fractions_are_numbers(tmp_path, value, bad):
    curve = {"metric": "accuracy", "split": "test", "group": "minority"}
    options = {"curve": curve, "gate": {"curve": curve, "at_least": 0.9}, "until": value}
    document = edited(lambda c: c["checks"][0].update(statistic="gated_area", options=options))
    if bad:
        with pytest.raises(UserError, match="must be a number or a fraction such as '1/3'"):
            load(tmp_path, document)
    else:
        assert load(tmp_path, document)[0].checks[0].options["until"] == pytest.approx(1 / 3)


def test_repeated_keys_ids_and_broken_yaml_are_refused(tmp_path):
    with pytest.raises(UserError, match=r"repeated keys \['id'\]"):
        load(tmp_path, "experiment: a\nclaims:\n- {id: C1.1, id: C1.2}\n")
    with pytest.raises(UserError, match="cannot be read"):
        load(tmp_path, "experiment: [")
    twice = copy.deepcopy(GOOD)
    twice["claims"] *= 2
    with pytest.raises(UserError, match=r"claim ids \['C1.1'\] are used more than once"):
        load(tmp_path, twice)
    with pytest.raises(UserError, match="claim number 1: keys"):
        load(tmp_path, edited(lambda c: c.pop("id")))


def test_an_empty_folder_is_refused(tmp_path):
    with pytest.raises(UserError, match="no claim files"):
        claim_records.load(tmp_path, SCHEMA)


def test_variants_replace_the_treatment(tmp_path):
    claims = load(tmp_path, edited(lambda c: c.update(variants=["muon_ns1", "muon_exact"])))
    assert [c.id for c in claims] == ["C1.1", "C1.1@muon_ns1", "C1.1@muon_exact"]
    assert [c.checks[0].optimizers for c in claims] == [("muon",), ("muon_ns1",), ("muon_exact",)]
    assert all(c.checks[0].minus == ("nmd",) for c in claims)
    assert claims[1].statement == "Muon ends above NMD. (Judged with muon_ns1 in place of muon.)"


def test_variants_of_a_claim_keep_the_variant_of_the_experiment(tmp_path):
    claim = edited(lambda c: (c.update(variants=["muon_ns1"]), c["checks"][0].update(optimizers=["muon.tail"])))
    assert [c.checks[0].optimizers for c in load(tmp_path, claim)] == [("muon.tail",), ("muon_ns1.tail",)]


def test_the_schema_lists_exactly_what_exists():
    schema = yaml.safe_load(SCHEMA.read_text(encoding="utf-8"))
    properties = schema["$defs"]["check"]["properties"]
    assert sorted(properties["statistic"]["enum"]) == sorted(STATISTICS)
    assert properties["comparator"]["enum"] == list(COMPARATORS)


def test_every_statistic_is_documented_and_used():
    used = {check.statistic.name for claim in stated().values() for check in claim.checks}
    assert used == set(STATISTICS)
    assert all(statistic.function.__doc__ for statistic in STATISTICS.values())


def test_the_repository_names_known_experiments_and_optimizers():
    config = load_settings(ROOT).config
    for claim in stated().values():
        experiment = config["experiments"][claim.experiment]
        for name in {name for check in claim.checks for name in (*check.optimizers, *check.minus)}:
            optimizer, _, variant = name.partition(".")
            assert optimizer in (experiment.get("sweep") or experiment["optimizers"]), f"{claim.id} names {name}"
            assert variant in (experiment.get("variants") or {"": {}}), f"{claim.id} names {name}"


def test_claims_come_in_the_order_of_figures():
    figures = [claim.figure for claim in stated().values()]
    assert figures == sorted(figures)
    assert {path.stem for path in CLAIMS.glob("*.yaml")} == {claim.experiment for claim in stated().values()}
