# What is said at the end of a run, and with a dry run.
import re


def core_seconds(experiment):
    """Processor time of an experiment's jobs, as their logs end with it (the last run of each job)."""
    total = 0.0
    for stage in ("solve", "tune", "train"):
        folder = Path(LOGS) / stage
        for file in [*folder.glob(f"{experiment}.log"), *folder.glob(f"{experiment}/*.log")]:
            found = re.findall(r"^processor time: ([0-9.]+) s$", file.read_text(encoding="utf-8"), re.MULTILINE)
            total += float(found[-1]) if found else 0.0
    return total


def cost_words():
    """Measured cost of each experiment beside its budget."""
    parts = []
    for name, experiment in EXPERIMENTS.items():
        cost, budget = core_seconds(name), experiment["budget_core_s"]
        if cost:
            parts.append(f"{name} {cost:.0f} of {budget:g}" + (" (over budget)" if cost > budget else ""))
    return f"Core-seconds: {', '.join(parts)}" if parts else ""


def closing_words():
    """What to look at after a successful run."""
    words = []
    page = Path(f"{RESULTS}/report/index.html")
    if page.is_file():
        words.append(f"Report: {page}")
    claims = Path(f"{RESULTS}/claims.json")
    if claims.is_file():
        verdicts = [record["verdict"] for record in json.loads(claims.read_text(encoding="utf-8"))]
        counts = ", ".join(f"{verdicts.count(v)} {v}" for v in ("holds", "fails", "inconclusive", "not-run"))
        words.append(f"Claims at scale {SCALE}: {counts}")
    words.append(cost_words())
    return "\n".join(filter(None, words))


def failing_words():
    """Where to look after a failed run."""
    return f"A job failed. Its log is shown above and lies in {LOGS}/. What was computed is kept; run again to go on."


def planning_words():
    """What all experiments of this scale may cost together; the jobs themselves Snakemake counts."""
    hours = sum(experiment["budget_core_s"] for experiment in EXPERIMENTS.values()) / 3600
    return f"Budget of all experiments at scale {SCALE}: {hours:,.1f} core-hours on a CPU (budget_core_s)"


if any(re.fullmatch("-[a-z]*n[a-z]*|--dry-?run", argument) for argument in sys.argv):
    print(planning_words(), file=sys.stderr)
