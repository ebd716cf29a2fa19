"""Settings by family: what a scale's settings are, where each is written, whose choice it was, and what is refused."""

import hashlib
import json
import sys
import time
from pathlib import Path

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.plan.families import KINDS, SCALES, load

ROOT = Path(__file__).parents[2]
DIGESTS = Path(__file__).with_name("effective_config.json")
REWRITE = "PYTHONPATH=src .venv/bin/python tests/plan/test_families.py"
FAMILY = """\
datasets:
  digits:
    builder: mnist
    config: {size: 28, parts: {a: 1, b: 2}}
    scales:
      smoke: {config: {size: 7, parts: {b: null}}}
      paper: {config: {source: official}}
  official:
    scales: {paper: {builder: mnist, config: {}}}
experiments:
  _base:
    task: stacked_classification
    model: {name: mlp, hidden: [4]}
    steps: 10
    seeds: 2
    scales:
      smoke: {steps: 1}
      paper: {steps: 100, model: {hidden: [8]}}
    origin: {steps: chosen, model: {smoke: chosen, laptop: chosen, paper: paper}, seeds: paper}
  first:
    like: _base
    dataset: digits
    sweep: {muon: {lr: ["0.1"]}}
    scales:
      smoke: {sweep: {muon: {lr: ["0.2"]}}}
    origin: {sweep: chosen, sweep.muon.lr: source}
  second:
    like: first
    seeds: 1
    model: {hidden: null}
    sweep: null
    variants:
      product:
        - {low: {mixture: {mu: 1}}, high: {mixture: {mu: 2}}}
        - {"": {}, deep: {model: {layers: 2}, mixture: {d: 3}}}
      high_deep: null
figures:
  fig_02: {slug: b, experiments: [second]}
  fig_01: {slug: a, experiments: [first]}
card:
  experiments:
    first: {label: First}
    second: {label: Second, origin: {label: chosen}}
"""
CONFIG = """\
scale: laptop
data_dir: null
scale_note: ""
optimizers:
  muon: {rule: muon, hyper: {ns_steps: 5}, origin: {hyper.ns_steps: source}}
card: {against: [muon], order: [second]}
scales:
  smoke: {scale_note: tiny}
"""


@pytest.fixture
def project(tmp_path):
    """A small project; called with further files, by name."""
    (tmp_path / "experiments").mkdir()
    (tmp_path / "config.yaml").write_text(CONFIG)
    (tmp_path / "experiments/family.yaml").write_text(FAMILY)
    return tmp_path


def digests() -> dict[str, dict[str, str]]:
    """A digest of each entry at each scale; of sweeps and variants the order counts, it numbers the runs."""
    found = {}
    for scale in SCALES:
        config = load(ROOT, {"scale": scale}).config
        named = {"config": {key: value for key, value in config.items() if key not in (*KINDS, "card")}}
        named |= {kind: config[kind] for kind in KINDS if kind != "card.experiments"}
        named["card"] = {
            key: value if key == "against" else list(value.items()) for key, value in config["card"].items()
        }
        found[scale] = {}
        for kind, entries in named.items():
            for name, entry in entries.items():
                order = [
                    list((entry.get(key) or {}).items()) for key in ("sweep", "variants") if isinstance(entry, dict)
                ]
                order = [[name, list(inner)] for part in order for name, inner in part]
                text = json.dumps([entry, order], sort_keys=True)
                found[scale][f"{kind}.{name}"] = hashlib.sha256(text.encode()).hexdigest()[:12]
    return found


def test_the_effective_settings_are_those_on_record():
    stored, now = json.loads(DIGESTS.read_text()), digests()
    changed = [
        f"{scale}: {name}"
        for scale in SCALES
        for name in sorted({*stored[scale], *now[scale]})
        if stored[scale].get(name) != now[scale].get(name)
    ]
    assert not changed, f"other settings than on record; if that is meant: {REWRITE}\n" + "\n".join(changed)


def test_families_are_short_and_begin_with_their_schema():
    files = {ROOT / "config.yaml": "", **dict.fromkeys((ROOT / "experiments").glob("*.yaml"), "../")}
    assert len(files) > 10 and len((ROOT / "config.yaml").read_text().splitlines()) < 100
    for path, up in files.items():
        name = "experiments" if up else "config"
        lines = path.read_text(encoding="utf-8").splitlines()
        assert lines[0] == f"# yaml-language-server: $schema={up}workflow/schemas/{name}.schema.json", path.name
        assert len(lines) <= 300, path.name


def test_every_shipped_setting_has_a_place_and_most_an_origin():
    for scale in SCALES:
        loaded = load(ROOT, {"scale": scale})
        assert len(loaded.origins) > 300 and set(loaded.origins) <= set(loaded.places.lines)
        file, _, line = loaded.places.of("experiments.cifar10_r5.epochs").partition(", line ")
        text = (ROOT / file).read_text(encoding="utf-8").splitlines()[int(line) - 1]
        assert file == "experiments/cifar.yaml" and "epochs:" in text
        for kind in ("datasets", "experiments", "card.experiments"):
            for name, entry in (loaded.config["card"] if "." in kind else loaded.config)[kind.split(".")[-1]].items():
                assert not name.startswith("_") and not {"like", "scales", "origin"} & set(entry)
    assert load(ROOT).origin("datasets.colored_mnist.config.resolution") == "chosen"
    assert load(ROOT, {"scale": "paper"}).origin("datasets.colored_mnist.config.resolution") == "paper"


def test_loading_is_quick():
    load(ROOT)
    start = time.process_time()
    load(ROOT, {"scale": "paper"})
    assert time.process_time() - start < 1  # it takes 0.1 s


def test_a_scale_lies_over_the_laptops_values(project):
    laptop, smoke, paper = (load(project, {"scale": scale}).config for scale in ("laptop", "smoke", "paper"))
    assert laptop["datasets"]["digits"]["config"] == {"size": 28, "parts": {"a": 1, "b": 2}}
    assert smoke["datasets"]["digits"]["config"] == {"size": 7, "parts": {"a": 1}}
    assert paper["datasets"]["digits"]["config"] == {"size": 28, "parts": {"a": 1, "b": 2}, "source": "official"}
    assert (laptop["scale_note"], smoke["scale_note"], smoke["scale"]) == ("", "tiny", "smoke")
    assert laptop["data_dir"] is None
    assert ["official" in config["datasets"] for config in (laptop, smoke, paper)] == [False, False, True]


def test_like_starts_from_another_entry_at_every_scale(project):
    laptop, smoke, paper = (
        load(project, {"scale": scale}).config["experiments"] for scale in ("laptop", "smoke", "paper")
    )
    assert [config["first"]["steps"] for config in (laptop, smoke, paper)] == [10, 1, 100]
    assert paper["first"]["model"] == {"name": "mlp", "hidden": [8]} and paper["first"]["dataset"] == "digits"
    for config in (laptop, smoke, paper):  # null drops a key at every scale
        assert config["second"]["model"] == {"name": "mlp"} and "sweep" not in config["second"]
    assert list(laptop) == ["first", "second"]


def test_products_of_variants(project):
    variants = load(project).config["experiments"]["second"]["variants"]
    assert list(variants) == ["low", "low_deep", "high"]
    assert variants["low_deep"] == {"mixture": {"mu": 1, "d": 3}, "model": {"layers": 2}}
    mine = project / "mine.yaml"
    mine.write_text(
        "experiments:\n  second:\n    variants: {product: [{x: {lr: '1'}}]}\n    scales: {smoke: {steps: 3}}\n"
    )
    assert list(load(project, files=[mine]).config["experiments"]["second"]["variants"]) == ["x"]
    assert load(project, {"scale": "smoke"}, [mine]).config["experiments"]["second"]["steps"] == 3


def test_figures_and_cards_are_in_order(project):
    config = load(project).config
    assert list(config["figures"]) == ["fig_01", "fig_02"]
    assert config["card"] == {
        "experiments": {"second": {"label": "Second"}, "first": {"label": "First"}},
        "against": ["muon"],
    }
    assert list(config["card"]["experiments"]) == ["second", "first"]


def test_places(project):
    loaded = load(project, {"device": "cuda", "experiments": {"first": {"sweep": {"muon": {"lr": ["9"]}}}}})
    of = loaded.places.of
    assert of("experiments.first.dataset") == "experiments/family.yaml, line 22"
    assert of("experiments.first.steps") == "experiments/family.yaml, line 14"  # written in the entry it is like
    assert of("experiments.first.steps.no.such.thing") == "experiments/family.yaml, line 14"
    assert of("experiments.first.nothing") == "experiments/family.yaml, line 20"
    assert of("experiments.first.sweep.muon.lr.0") == of("device") == "the command line"
    assert of("optimizers.muon.hyper") == "config.yaml, line 5" and of("nothing") == ""
    smoke = load(project, {"scale": "smoke"}).places.of
    assert smoke("experiments.first.steps") == "experiments/family.yaml, line 17"
    assert smoke("scale_note") == "config.yaml, line 8"


def test_origins(project):
    laptop, paper = load(project), load(project, {"scale": "paper"})
    assert laptop.origins == {
        "experiments.first.steps": "chosen", "experiments.first.model": "chosen", "experiments.first.seeds": "paper",
        "experiments.first.sweep": "chosen", "experiments.first.sweep.muon.lr": "source",
        "experiments.second.steps": "chosen",  # its own model and seeds, and nothing said of them
        "card.experiments.second.label": "chosen", "optimizers.muon.hyper.ns_steps": "source",
    }  # fmt: skip
    assert paper.origins["experiments.first.model"] == "paper"
    assert laptop.origin("experiments.first.sweep.muon.momentum") == "chosen"
    assert laptop.origin("experiments.second.sweep") == laptop.origin("scale") == ""


def test_a_users_settings_lie_on_top(project):
    mine = project / "mine.yaml"
    mine.write_text(
        "experiments:\n  first: {steps: 7, sweep: {muon: null, adam: {lr: ['1e-3']}}}\n"
        "  third: {like: first, origin: {seeds: chosen}, seeds: 4}\n"
        "optimizers: {adam: {rule: adam, hyper: {eps: 1e-9}}}\nfigures: {fig_02: null}\n"
    )
    loaded = load(project, {"scale": "paper"}, [mine])
    experiments = loaded.config["experiments"]
    assert experiments["first"]["steps"] == 7 and experiments["first"]["sweep"] == {"adam": {"lr": ["1e-3"]}}
    assert experiments["third"]["seeds"] == 4 and experiments["third"]["dataset"] == "digits"
    assert loaded.origin("experiments.third.seeds") == "chosen"
    assert loaded.config["optimizers"]["adam"]["hyper"] == {"eps": 1e-9}  # a number, as YAML 1.2 has it
    assert loaded.places.of("experiments.first.steps") == "mine.yaml, line 2"
    assert loaded.places.of("scale") == "the command line"
    assert list(loaded.config["figures"]) == ["fig_01"]
    assert {"experiments.first.sweep.muon", "figures.fig_02"} <= loaded.left_out
    assert load(project, {"experiments": {"first": {"steps": 8}}}, [mine]).config["experiments"]["first"]["steps"] == 8


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("datasets:\n  dig", "data:\n  dig", "family.yaml, line 1: unknown key 'data'; allowed: datasets, experiments"),
        ("    first: {label: First}", "    first: 5", "card.experiments.first = 5; allowed: a map of names"),
        ("card:\n  exp", "card:\n  against: [muon]\n  exp", "unknown key 'card.against'; allowed: experiments"),
        ("digits:\n", "official:\n", "line 8: the key 'official' is given twice"),
        ("      smoke: {steps: 1}", "      smok: {steps: 1}", "line 17: .*scales.smok is not allowed; allowed: smoke"),
        ("      smoke: {steps: 1}", "      laptop: {steps: 1}", "laptop is not allowed; .*, paper .laptop's beside"),
        ("      smoke: {steps: 1}", "      smoke: 1", "experiments._base.scales.smoke = 1; allowed: a map of names"),
        ("    like: _base", "    like: base", "line 21: experiments.first.like = 'base'; allowed: _base, second"),
        ("    like: _base", "    like: [_base]", r"experiments.first.like = \['_base'\]; allowed: _base, second"),
        ("    like: _base", "    like: second", "experiments.second.like = 'first'; allowed: _base"),
        ("    like: _base", "    like: first", "experiments.first.like = 'first'; allowed: _base, second"),
        ("origin: {sweep: chosen,", "origin: {sweep: ours,", "origin.sweep = 'ours'; allowed: paper, source, chosen"),
        ("origin: {sweep: chosen,", "origin: {sweap: chosen,", "line 26: .*first.origin: 'sweap' leads to no setting"),
        ("origin: {sweep: chosen,", "origin: {sweep: {smok: chosen},", "'smok' is no scale; allowed: smoke, laptop"),
        ("origin: {sweep: chosen,", "origin: {sweep: {smoke: 5},", "origin.sweep = 5; allowed: paper, source, chosen"),
        ("origin: {sweep: chosen,", "origin: {sweep: [chosen],", r"first.origin.sweep = \['chosen'\]; allowed: a map"),
        ("origin: {sweep: chosen,", "origin: {model.deep: {paper: paper},", "'model.deep' leads to no setting"),
        ("seeds: paper}", "seeds: paper, model.hidden.0: paper}", "'model.hidden.0' leads to no setting"),
        ("      high_deep: null", "      deep_high: null", "no variant 'deep_high'; allowed: low, low_deep, high, h"),
        ("        - {low:", "        - {high: {}}\n        - {low:", "allowed: high_low, high_low_deep"),
        ("deep: {model", '"": {}, deep: {model', "the key '' is given twice"),
        ("        - {low", "        - [low]\n        - {low", "product must be a list of maps"),
        ("{low: {mixture: {mu: 1}},", "{low: 1,", "variants.product = 1; allowed: a map of names"),
        ("high: {mixture", '"": {mixture', "variants.product gives the name '' twice, or an empty one"),
    ],
)  # fmt: skip
def test_mistakes_in_families_are_named(project, before, after, message):
    assert before in FAMILY
    (project / "experiments/family.yaml").write_text(FAMILY.replace(before, after, 1))
    with pytest.raises(UserError, match=message) as refused:
        load(project)
    assert str(refused.value).startswith("experiments/family.yaml, line ")


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("scale: laptop", "scale: foo", "config.yaml, line 1: scale: 'foo' is not allowed; allowed: smoke"),
        ("scale: laptop", "scale: [smoke]", r"scale: \['smoke'\] is not allowed"),
        ("scale: laptop\n", "", "config.yaml: key 'scale' is missing; allowed: smoke, laptop, reference, paper"),
        ("order: [second]", "order: [third]", "line 6: card.order = 'third'; allowed: a list of first, second"),
        ("order: [second]", "order: second", "card.order = 'second'; allowed: a list of"),
        ("order: [second]", "order: [[second]]", "card.order = .*allowed: a list of"),
        ("  smoke: {scale_note", "  smokey: {scale_note",
         r"config.scales.smokey is not allowed; allowed: smoke, reference, paper \(laptop's beside\)"),
        ("data_dir: null", "like: muon", "config.yaml, line 2: unknown key 'like'; allowed: within an entry"),
        ("{hyper.ns_steps: source}", "{hyper.ns: source}", "optimizers.muon.origin: 'hyper.ns' leads to no setting"),
    ],
)  # fmt: skip
def test_mistakes_in_the_configuration_are_named(project, before, after, message):
    assert before in CONFIG
    (project / "config.yaml").write_text(CONFIG.replace(before, after, 1))
    with pytest.raises(UserError, match=message):
        load(project)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("scale: tiny\n", "mine.yaml, line 1: scale: 'tiny' is not allowed"),
        ("experiments:\n  first:\n    steps: 1\n    steps: 2\n", "mine.yaml, line 4: the key 'steps' is given twice"),
        ("experiments:\n  first: {scales: {tiny: {}}}\n", "mine.yaml, line 2: experiments.first.scales.tiny is not"),
        ("experiments:\n  mine: {like: nothing}\n", "mine.yaml, line 2: .*mine.like = 'nothing'; allowed: _base"),
        ("experiments:\n  first: {like: second}\n", "mine.yaml, line 2: .*first.like: 'first' is there already"),
        ("experiments:\n  first: {origin: {stps: chosen}}\n", "mine.yaml, line 2: .*'stps' leads to no setting"),
        ("\ndevice: 012\n", "mine.yaml, line 2: 012 is not allowed"),
    ],
)  # fmt: skip
def test_mistakes_in_a_users_file_are_named(project, text, message):
    (project / "mine.yaml").write_text(text)
    with pytest.raises(UserError, match=message):
        load(project, {}, [project / "mine.yaml"])


def test_an_entry_stands_in_one_file(project):
    (project / "experiments/other.yaml").write_text("figures:\n  fig_01: {slug: x}\n")
    with pytest.raises(
        UserError, match="other.yaml, line 2: figures.fig_01 is already in experiments/family.yaml, line"
    ):
        load(project)
    scales = "smoke, laptop, reference, paper"
    with pytest.raises(UserError, match=f"the command line: scale: 'foo' is not allowed; allowed: {scales}"):
        load(ROOT, {"scale": "foo"})


if __name__ == "__main__":
    sys.exit(DIGESTS.write_text(json.dumps(digests(), indent=0) + "\n") and 0)
