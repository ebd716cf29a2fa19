"""Where things lie."""

from collections.abc import Iterable

from muon_imbalance.plan.job import cells
from muon_imbalance.plan.planning import Plan
from muon_imbalance.plan.sweeps import grid_of

ENDINGS = {"fig": ("pdf", "png", "csv", "json"), "tab": ("csv", "html", "json")}
"""Files of a figure or table, by the first part of its id."""


def results(plan: Plan) -> str:
    """Folder of a scale's results."""
    return f"results/{plan.scale}"


def logs(plan: Plan) -> str:
    """Folder of a scale's logs."""
    return f"logs/{plan.scale}"


def evidence(plan: Plan) -> str:
    """Folder of the tables that figures and claims read: the run's own, or an archive's."""
    return plan.run.results_from or results(plan)


def built(plan: Plan, name: str) -> str:
    """Folder in which a data set is built."""
    return f"data/datasets/{plan.scale}/{name}"


def dataset(plan: Plan, name: str) -> str:
    """Folder of a data set; in an archive, which has manifests alone, of one whose samples no figure shows."""
    shown = {one for figure in plan.figures.values() if figure.pictures for one in figure.datasets or ()}
    archived = plan.run.results_from and name not in shown
    return f"{plan.run.results_from}/datasets/{name}" if archived else built(plan, name)


def manifest(plan: Plan, name: str) -> str:
    """Manifest of a data set; its hashes stand for the arrays."""
    return f"{dataset(plan, name)}/manifest.json"


def stamp(source: str) -> str:
    """Record of a downloaded source."""
    return f"data/sources/{source}.json"


def final_shards(plan: Plan, experiment: str) -> range:
    """Jobs that an optimizer's final runs are split over: one, or one for each seed."""
    described = plan.training[experiment]
    return range(described.seeds if described.shards == "each" else 1)


def final_tables(plan: Plan, experiment: str, optimizer: str) -> list[str]:
    """Tables of an optimizer's final runs."""
    folder = f"{evidence(plan)}/runs/{experiment}"
    return [f"{folder}/{optimizer}.{shard}.parquet" for shard in final_shards(plan, experiment)]


def grid_tables(plan: Plan, experiment: str, optimizer: str) -> list[str]:
    """Tables of an optimizer's grid: one, or one for each cell and seed."""
    described, count = plan.training[experiment], 1
    if described.shards == "each":
        count = len(cells(grid_of(plan, experiment, optimizer))) * described.grid_seeds
    return [f"{results(plan)}/grid/{experiment}/{optimizer}.{shard}.parquet" for shard in range(count)]


def selection(plan: Plan, experiment: str, optimizer: str) -> str:
    """The cell that was selected."""
    return f"{results(plan)}/selection/{experiment}/{optimizer}.json"


def checkpoints(plan: Plan, experiment: str, optimizer: str, shard: int | str) -> str:
    """Folder of a job's checkpoints (no output: Snakemake would delete it)."""
    return f"{results(plan)}/checkpoints/{experiment}/{optimizer}.{shard}"


def kept(plan: Plan, experiment: str, optimizer: str) -> str:
    """Folder of an optimizer's runs, one by one (no output, as checkpoints)."""
    return f"{results(plan)}/kept/{experiment}/{optimizer}"


def drawn(plan: Plan) -> list[str]:
    """Experiments that a figure or table shows."""
    shown = [name for figure in plan.figures.values() for name in (*figure.experiments, *figure.theory)]
    return list(dict.fromkeys(shown))


def run_tables(plan: Plan, experiment: str) -> list[str]:
    """Tables of an experiment, one for each of its optimizers and their shards (none without training)."""
    swept = plan.training[experiment].sweep if experiment in plan.training else {}
    return [table for optimizer in swept for table in final_tables(plan, experiment, optimizer)]


def theory_table(plan: Plan, experiment: str) -> str:
    """Table of an experiment's closed forms."""
    return f"{evidence(plan)}/theory/{experiment}.parquet"


def dataset_of(plan: Plan, experiment: str) -> str | None:
    """Data set of an experiment, or of its closed forms (exact moments have none)."""
    described = plan.written(experiment)
    return described.get("dataset") or described.get("theory", {}).get("dataset")


def manifests(plan: Plan, experiment: str) -> list[str]:
    """Manifest of an experiment's data set."""
    name = dataset_of(plan, experiment)
    return [manifest(plan, name)] if name else []


def all_manifests(plan: Plan, experiments: Iterable[str]) -> list[str]:
    """Manifests of the data sets of several experiments."""
    return sorted({path for name in experiments for path in manifests(plan, name)})


def stem(plan: Plan, figure: str) -> str:
    """File name of a figure or table without its ending."""
    return f"{figure}_{plan.figures[figure].slug}"


def of_kind(plan: Plan, kind: str) -> list[str]:
    """Files of all figures (``fig``) or tables (``tab``)."""
    return [path for name in plan.figures if name.startswith(f"{kind}_") for path in figure_files(plan, name)]


def figure_files(plan: Plan, figure: str) -> list[str]:
    """Finished files of a figure or table."""
    endings = ENDINGS[figure.partition("_")[0]]
    return [f"{plan.run.figures_dir}/{stem(plan, figure)}.{ending}" for ending in endings]


def executed_notebook(plan: Plan, figure: str) -> str:
    """The notebook as it ran."""
    return f"{results(plan)}/notebooks/{stem(plan, figure)}.ipynb"


def templates(plan: Plan) -> list[str]:
    """Templates of the report."""
    found = plan.root.glob("src/muon_imbalance/reporting/site/templates/*.*")
    return sorted(str(path.relative_to(plan.root)) for path in found)
