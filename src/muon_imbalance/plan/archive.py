"""``muon-imbalance keep``: a finished run as the archive ``reference/`` (:mod:`muon_imbalance.runs.archive`)."""

import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import write_json
from muon_imbalance.plan import claims, files, messages
from muon_imbalance.plan.planning import Plan

LIMITS = {"runs, theory, datasets, claims": 20_000_000, "thumbnails": 1_000_000}
"""Most bytes that an archive may add to the repository."""


def keep(plan: Plan, folder: Path) -> str:
    """Write the archive of a whole run, in place of an older one; a sentence about it.

    Raises:
        UserError: part of the run is missing, or the archive would be too large.
    """
    from muon_imbalance.runs import archive
    from muon_imbalance.runs.columns import COLUMNS, THEORY_COLUMNS

    if plan.run.results_from:
        raise UserError("results_from: an archive is made of a run, not of an archive")
    judged = {name: plan.experiments[name] for name in dict.fromkeys([*files.drawn(plan), *claims.judged(plan)])}
    runs = [table for name in judged for table in files.run_tables(plan, name)]
    theory = [files.theory_table(plan, name) for name, one in judged.items() if one.theory]
    manifests = sorted({path for name in judged for path in files.manifests(plan, name)})
    pictures = {figure: f"{plan.run.figures_dir}/{files.stem(plan, figure)}" for figure in plan.figures}
    drawn = {figure: f"{stem}.png" for figure, stem in pictures.items() if figure.startswith("fig_")}
    verdicts, sidecar = f"{files.results(plan)}/claims.json", f"{next(iter(pictures.values()))}.json"
    wanted = [*runs, *theory, *manifests, *drawn.values(), verdicts, sidecar]
    if missing := [path for path in wanted if not (plan.root / path).is_file()]:
        raise UserError(f"{missing[0]} is not there yet: run `make paper SCALE={plan.scale}` to its end first")
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    below = len(f"{files.results(plan)}/")
    for path in runs:
        archive.compact(plan.root / path, new / path[below:], COLUMNS)
    for path in theory:
        archive.compact(plan.root / path, new / path[below:], THEORY_COLUMNS)
    archive.copied(
        (plan.root / path, new / "datasets" / Path(path).parent.name / "manifest.json") for path in manifests
    )
    archive.copied([(plan.root / verdicts, new / "claims.json")])
    for figure, path in drawn.items():
        archive.thumbnail(plan.root / path, new / f"thumbnails/{figure}.jpg")
    write_json(new / "provenance.json", provenance(plan, plan.root / sidecar))
    small = sum(file.stat().st_size for file in (new / "thumbnails").glob("*"))
    large = sum(file.stat().st_size for file in new.rglob("*") if file.is_file()) - small
    for (what, limit), size in zip(LIMITS.items(), (large, small), strict=True):
        if size > limit:
            raise UserError(f"{new}: {what} take {size / 1e6:.1f} MB; allowed: {limit / 1e6:g} MB")
    shutil.rmtree(folder, ignore_errors=True)
    os.replace(new, folder)
    return f"{folder.name}/: {len(runs)} tables of runs, {(large + small) / 1e6:.1f} MB"


def provenance(plan: Plan, sidecar: Path) -> dict[str, Any]:
    """Commit and packages (of a figure's sidecar), machine, and what each experiment cost."""
    described = json.loads(sidecar.read_text(encoding="utf-8"))
    cost = {name: round(messages.core_seconds(plan, name)) for name in plan.experiments}
    return {
        "scale": plan.scale,
        "git_commit": described["git_commit"],
        "packages": described["packages"],
        "machine": {"processor": processor(), "cores": os.cpu_count(), "system": platform.system()},
        "core_hours": round(sum(cost.values()) / 3600, 2),
        "core_seconds": {name: seconds for name, seconds in cost.items() if seconds},
    }


def processor() -> str:
    """The processor's name, as far as the system tells."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()
