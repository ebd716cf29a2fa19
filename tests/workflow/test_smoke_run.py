"""The whole smoke run: what it leaves behind, and that a second run has nothing to do."""

import json
import re
import tokenize
from pathlib import Path

import pandas as pd
import pytest
import yaml

from muon_imbalance.runs import frames as tables

from .configuration import drawn, smoke_config

SIDECAR = {
    "id", "title", "scale", "command", "notebook", "data", "experiments", "seeds", "code_sha256", "git_commit",
    "packages", "claims",
}  # fmt: skip
RECORD = {
    "id", "figure", "statement", "paper_ref", "verdict", "n", "estimate", "ci_low", "ci_high", "comparator",
    "threshold", "data_kind", "note", "kind", "family", "variant", "unit", "scale_factor", "reason", "seeds_needed",
    "experiments", "datasets", "headline", "smallest_effect", "tolerance_reason", "set_by", "set_when",
}  # fmt: skip
FIGURES = {
    f"{name}_{figure['slug']}": ("csv", "html", "json") if name.startswith("tab_") else ("pdf", "png", "csv", "json")
    for name, figure in smoke_config()["figures"].items()
}


def test_every_figure_is_complete(smoke):
    folder = smoke.folder / "results/smoke/figures"
    expected = {f"{stem}.{ending}" for stem, endings in FIGURES.items() for ending in endings}
    assert {path.name for path in folder.iterdir()} == expected
    assert all(path.stat().st_size for path in folder.iterdir())
    assert not [path for path in (smoke.folder / "figures").iterdir() if path.name != "README.md"]


@pytest.mark.parametrize("stem", FIGURES)
def test_sidecars_keep_the_contract(smoke, stem):
    record = json.loads((smoke.folder / f"results/smoke/figures/{stem}.json").read_text())
    assert set(record) - {"origins"} == SIDECAR and record["scale"] == "smoke" and stem.startswith(record["id"])
    for data in record["data"]:
        assert set(data) == {"name", "kind", "sha256", "label"}
    assert str(smoke.folder) not in json.dumps(record)


def test_runs_tables_keep_the_contract(smoke):
    found = sorted((smoke.folder / "results/smoke/runs").rglob("*.parquet"))
    sweeps = [one.get("sweep", one.get("optimizers", {})) for one in drawn(smoke_config()).values()]
    assert len(found) == sum(map(len, sweeps)) > 10
    for path in found:
        frame = tables.read([path])
        assert set(frame["experiment"]) == {path.parent.name} and set(frame["optimizer"]) == {path.name.split(".")[0]}


def test_selection_files_keep_the_contract(smoke):
    chosen = json.loads((smoke.folder / "results/smoke/selection/colored_mnist/muon.json").read_text())
    assert {"hyper", "rule", "split", "seeds", "score", "edge"} <= set(chosen)
    final = tables.read([smoke.folder / "results/smoke/runs/colored_mnist/muon.0.parquet"], phase="final")
    assert set(final["lr"]) == {chosen["hyper"]["lr"]} and set(final["seed"]) == {0, 1}


def test_claims_keep_the_contract(smoke):
    records = json.loads((smoke.folder / "results/smoke/claims.json").read_text())
    assert all(set(record) == RECORD for record in records)
    verdicts = {record["id"]: record["verdict"] for record in records}
    assert {f"C{figure}.{n}" for figure, count in ((1, 3), (2, 5), (4, 4)) for n in range(1, count + 1)} <= set(
        verdicts
    )
    assert all(verdicts[f"C2.{n}"] == "holds" for n in range(1, 6))
    assert all(verdicts[f"C1.{n}"] in ("not-run", "inconclusive") for n in range(1, 4))


def test_datasets_have_manifests_that_hold(smoke):
    from muon_imbalance.data import registry
    from muon_imbalance.data.store import manifest

    for name in ("mnist", "colored_mnist", "gaussian_mixture"):
        manifest.verify(smoke.folder / "data/datasets/smoke" / name, registry.module(name).describe)


def test_the_report_is_self_contained_and_complete(smoke):
    page = (smoke.folder / "results/smoke/report/index.html").read_text(encoding="utf-8")
    links = re.findall(r"""(?:src|href)\s*=\s*["']([^"']+)["']""", page)
    assert links and not [link for link in links if re.match(r"(https?:)?//", link)]
    base = smoke.folder / "results/smoke/report"
    local = [link.split("#")[0] for link in links if not link.startswith(("data:", "#"))]
    assert not [link for link in local if link and not (base / link).exists()]
    for stem in FIGURES:
        assert stem in page
    for record in json.loads((smoke.folder / "results/smoke/claims.json").read_text()):
        assert record["id"] in page


def test_the_audit_is_complete_and_its_links_lead_somewhere(smoke):
    folder = smoke.folder / "results/smoke/report"
    page, report = ((folder / name).read_text(encoding="utf-8") for name in ("audit.html", "index.html"))
    assert 'href="audit.html"' in report
    entries = yaml.safe_load((smoke.folder / "claims/audit.yaml").read_text(encoding="utf-8"))["entries"]
    assert len(entries) > 10 and all(f'id="{entry["id"]}"' in page for entry in entries)
    for link in re.findall(r'href="index.html#([^"]+)"', page):
        assert f'id="{link}"' in report, link


def test_exact_theory_is_judged_at_smoke_scale(smoke):
    records = json.loads((smoke.folder / "results/smoke/claims.json").read_text())
    exact = [r for r in records if r["figure"] in ("fig_s1", "fig_s2")]
    assert len(exact) > 15 and {r["verdict"] for r in exact} == {"holds"}


def test_executed_notebooks_say_nothing_of_the_machine(smoke):
    for path in (smoke.folder / "results/smoke/notebooks").glob("*.ipynb"):
        assert str(smoke.folder) not in path.read_text() and "/tmp/" not in path.read_text()


def test_closing_words_name_report_and_claims(smoke):
    assert "Report: results/smoke/report/index.html" in smoke.log
    assert re.search(
        r"Claims at scale smoke: \d+ holds, \d+ fails, \d+ absent, \d+ inconclusive, \d+ not-run", smoke.log
    )


def test_a_second_run_has_nothing_to_do(smoke):
    assert "Nothing to be done" in smoke.run().stdout


def test_progress_and_benchmarks_are_kept_per_job(smoke):
    cost = pd.read_csv(smoke.folder / "results/smoke/benchmarks/train/colored_mnist/nmd.0.tsv", sep="\t")
    assert cost["cpu_time"].iloc[0] >= 0
    spent = 0.0
    for stage in ("tune", "train"):
        for log in (smoke.folder / f"logs/smoke/{stage}/colored_mnist").glob("*.log"):
            (seconds,) = re.findall(r"^processor time: ([0-9.]+) s$", log.read_text(), re.MULTILINE)
            spent += float(seconds)
    assert re.search(r"Core-seconds: .*colored_mnist (\d+) of", smoke.log)[1] == f"{spent:.0f}"


def test_every_plotted_number_is_in_the_csv(smoke):
    for stem in FIGURES:
        assert len(pd.read_csv(smoke.folder / f"results/smoke/figures/{stem}.csv", low_memory=False))


def test_sources_speak_of_the_project_alone():
    """No path of a machine in the package."""
    root = Path(__file__).parents[2]
    bad = re.compile(r"/root/|/home/|/tmp/")
    for path in root.joinpath("src").rglob("*.py"):
        with tokenize.open(path) as file:
            assert not bad.search(file.read()), path
