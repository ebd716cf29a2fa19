# What figures and tables are drawn from, and the claims about them.
from muon_imbalance.reporting.notebooks import notebook_file as notebook_files

CLAIM_FILES = sorted(
    str(path.relative_to(ROOT)) for path in (ROOT / "claims").glob("*.yaml") if path.name != "audit.yaml"
)
STAND_INS = stand_ins(config)
CLAIMS = stated_claims()


def figure_runs(figure):
    """Run tables that a figure reads."""
    return [table for experiment in config["figures"][figure]["experiments"] for table in run_tables(experiment)]


def figure_theory(figure):
    """Tables of closed forms that a figure reads."""
    return [theory_table(experiment) for experiment in config["figures"][figure].get("theory", [])]


def figure_manifests(figure):
    """Manifests of the data sets behind a figure."""
    described = config["figures"][figure]
    shown = described["experiments"] + described.get("theory", [])
    return sorted({path for experiment in shown for path in manifests(experiment)})


def notebook_file(figure):
    """The committed notebook."""
    return f"notebooks/{figure_stem(figure)}.ipynb"


def figure_sources(figure):
    """Files that rendering a figure runs (Table 1 shows every update rule)."""
    path = ROOT / notebook_file(figure)
    files = notebook_files.source_files(notebook_files.read(path), path)
    files += closure(*optimizer_modules()) if figure.startswith("tab_") else []
    return sorted({str(file.relative_to(ROOT)) for file in files})


def optimizer_modules():
    """Modules of all update rules (Table 1 shows them)."""
    names = {module for rule in optimizer_registry.names() for module in optimizer_registry.modules(rule)}
    return sorted(names)


def figure_parameters(figure):
    """Parameters of a notebook, beside those that the runner sets itself."""
    described = config["figures"][figure]
    given = {"runs": figure_runs(figure), "theory": figure_theory(figure)}
    if "datasets" in described:
        given["datasets"] = {name: f"{DATASETS}/{name}" for name in described["datasets"]}
    if described.get("settings"):
        given["settings"] = {name: linear_settings(name) for name in described["experiments"]}
    return json.dumps(given | described.get("parameters", {}))


def linear_settings(experiment):
    """What the closed forms of an experiment depend on."""
    described = EXPERIMENTS[experiment]
    return {key: described[key] for key in ("mixture", "model", "variants", "schedule") if key in described}


def figure_seeds(figure):
    """Number of repetitions behind each experiment of a figure."""
    return {name: EXPERIMENTS[name]["seeds"] for name in config["figures"][figure]["experiments"]}


def figure_title(figure):
    """Title of a figure; what stands in for the paper's data and weights is part of it."""
    places = ", ".join(f"{name} for {whose}" for name, whose in STAND_INS.get(figure, {}).items())
    return f"{config['figures'][figure]['title']} [{places}]" if places else config["figures"][figure]["title"]


def figure_provenance(figure):
    """What the figure's json file says of its origin (volatile facts are read when it runs)."""
    return json.dumps(
        {
            "title": figure_title(figure),
            "scale": SCALE,
            "command": f"snakemake --cores all {figure}{scale_option()}",
            "experiments": config["figures"][figure]["experiments"],
            "seeds": figure_seeds(figure),
            "claims": [claim.id for claim in CLAIMS if claim.figure == figure and "@" not in claim.id],
            "data": figure_manifests(figure),
        }
    )


def scale_option():
    """What the command line needs for this scale."""
    return "" if SCALE == "laptop" else f" --config scale={SCALE}"


def figures_folder(wildcards, output):
    """Folder that the figure's files go to."""
    return str(Path(output.files[0]).parent)
