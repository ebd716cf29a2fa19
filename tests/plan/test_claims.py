"""What judging and the report are given, in files that the rules name by their digest."""

import json
from dataclasses import replace
from pathlib import Path

from muon_imbalance.plan import claims

from .configurations import plan_of


def test_long_options_are_files_named_by_what_they_hold(tmp_path):
    plan = replace(plan_of("smoke"), root=tmp_path)
    old = tmp_path / "results/smoke/options/judge.0123456789abcdef"
    old.parent.mkdir(parents=True)
    old.write_text("--runs={}\n")
    claims.write_long_options(plan)
    assert not old.exists()
    judge, publish = (tmp_path / claims.option_file(plan, stage) for stage in ("judge", "publish"))
    given = dict(line.removeprefix("--").split("=", 1) for line in judge.read_text().splitlines())
    assert {key: json.loads(text) for key, text in given.items()} == claims.evidence(plan)
    assert set(json.loads(publish.read_text())) == set(plan.figures)
    assert max(map(len, (claims.option_file(plan, "judge"), claims.option_file(plan, "publish")))) < 100


def test_a_changed_experiment_changes_the_name_of_the_judges_file():
    plan = plan_of("smoke")
    name = claims.judged(plan)[0]
    entry = plan.written(name) | {"budget_core_s": 12345}
    changed = replace(plan, config=plan.config | {"experiments": plan.config["experiments"] | {name: entry}})
    assert claims.option_file(changed, "judge") != claims.option_file(plan, "judge")
    assert Path(claims.option_file(changed, "publish")).name == Path(claims.option_file(plan, "publish")).name


def test_the_judge_is_given_every_experiment_of_a_contrast():
    plan = plan_of("laptop")
    (trend,) = [claim for claim in plan.claims if claim.id == "C20.1"]
    assert set(trend.experiments) <= set(claims.judged(plan)) and len(trend.experiments) == 3
    assert all(claims.evidence(plan)["runs"][name] for name in trend.experiments)
