"""Made-up runs tables on which every claim holds, and the alterations that must flip verdicts."""

import functools
from pathlib import Path

import numpy as np
import pandas as pd

from muon_imbalance.analysis.claims import claim_records, judging
from muon_imbalance.analysis.claims.claim import Claim
from muon_imbalance.analysis.statistics import protocol
from muon_imbalance.analysis.statistics.evidence import Experiment
from muon_imbalance.runs.frames import COLUMNS, THEORY_COLUMNS

ROOT = Path(__file__).resolve().parents[2]
CLAIMS = ROOT / "claims"
MIXTURE = {"k": 3, "d": 3, "p": [0.5, 0.3, 0.2], "mu": 1.0, "sigma2": 0.1}
Name = tuple[str, str, str]  # split, group, metric


def rows(
    experiment: str,
    optimizer: str,
    seed: int,
    steps: np.ndarray,
    curves: dict[Name, np.ndarray],
    lr: str = "0.1",
    **other,
) -> pd.DataFrame:
    """Tidy rows of one run."""
    parts = []
    for (split, group, metric), values in curves.items():
        columns = {
            "experiment": experiment,
            "optimizer": optimizer,
            "phase": "final",
            "run": seed,
            "seed": seed,
            "lr": lr,
            "momentum": "0.9",
            "hyper": "{}",
            "epoch": steps.astype(float),
            "step": steps,
            "split": split,
            "group": group,
            "metric": metric,
            "value": np.asarray(values, dtype=float),
            "diverged": False,
        }
        parts.append(pd.DataFrame({**columns, **other}))
    return pd.concat(parts, ignore_index=True)[list(COLUMNS)]


# --- Colored-MNIST: majority from step 8, minority around a centre ---------------------------------------


def colored_run(optimizer: str, seed: int, centre: float, height: float) -> pd.DataFrame:
    """One class until step 6; then majority 1, minority ``height * u``, its loss ``4 (1 - u)``, u sigmoid."""
    steps = np.arange(0, 161, 2)
    progress = 1 / (1 + np.exp(-(steps - centre) / 5))
    early = steps < 8
    rise = np.minimum(0.69 + 0.3 * steps, 4.0)
    curves = {
        ("test", "majority", "accuracy"): np.where(early, 0.5, 1.0),
        ("test", "minority", "accuracy"): np.where(early, 0.5, height * progress),
        ("train", "minority", "loss"): np.where(steps < 12, rise, 4 * (1 - progress)),
        ("train", "all", "loss"): 0.7 * np.exp(-steps / 10) + 0.08 * (1 - progress),
        ("train", "majority", "accuracy"): np.where(early, 0.5, np.minimum(0.9 + steps / 800, 1.0)),
        ("train", "minority", "accuracy"): np.where(early, 0.5, progress),
    }
    return rows("colored_mnist", optimizer, seed, steps, curves)


def colored(seeds: int = 5) -> pd.DataFrame:
    """All of C1.*, A1.* hold: Muon's minority rises at step 36, the controls' at 110 and 115."""
    centres = {"muon": 36, "muon_exact": 37, "muon_ns1": 70, "nmd": 110, "signum": 115}
    parts = []
    for seed in range(seeds):
        draw = np.random.default_rng(seed)
        for optimizer, centre in centres.items():
            height = 0.55 if optimizer.startswith("muon") else 0.47
            parts.append(colored_run(optimizer, seed, centre + draw.normal(0, 2), height + draw.normal(0, 0.004)))
    return pd.concat(parts, ignore_index=True)


# --- population: the diagonal iteration itself -----------------------------------------------------------


def components(optimizer: str, steps: int, lr: float = 0.01) -> np.ndarray:
    """``alpha [steps + 1, 3]`` of GD, NGD or SpecGD in the eigenbasis."""
    p = np.array(MIXTURE["p"])
    s_xx, s_yx = p + MIXTURE["sigma2"], p
    path = [np.zeros(3)]
    for _ in range(steps):
        gradient = s_yx - s_xx * path[-1]
        rule = {"gd": gradient, "ngd": gradient / np.linalg.norm(gradient), "specgd": np.sign(gradient)}
        path.append(path[-1] + lr * rule[optimizer])
    return np.array(path)


def population_run(optimizer: str, seed: int, alpha: np.ndarray, lr: str = "0.01") -> pd.DataFrame:
    """Rows of one run from its components (losses by Eq. 7), recorded as in the configuration."""
    loss = 0.5 * ((1 - alpha) ** 2 + 0.1 * (alpha**2).sum(1, keepdims=True))
    curves = {("population", f"class_{c}", "alpha"): alpha[:, c] for c in range(3)}
    curves |= {
        ("population", "minority", "loss"): loss[:, 2],
        ("population", "balanced", "loss"): loss.mean(1),
    }
    steps = np.arange(len(alpha))
    kept = (steps <= 300) | (steps % 10 == 0)
    curves = {name: values[kept] for name, values in curves.items()}
    return rows("population_linear", optimizer, seed, steps[kept], curves, lr=lr)


@functools.cache
def population(seeds: int = 3, steps: int = 2000) -> pd.DataFrame:
    """Fig. 2: all of C2.* hold."""
    paths = {name: components(name, steps) for name in ("gd", "ngd", "specgd")}
    return pd.concat([population_run(n, seed, a) for n, a in paths.items() for seed in range(seeds)], ignore_index=True)


def closed_forms(steps: int = 2000, lr: float = 0.01) -> pd.DataFrame:
    """Theory table of GD (exact) and SpecGD (Prop. 1)."""
    p, t = np.array(MIXTURE["p"]), np.arange(steps + 1)
    s_xx = p + MIXTURE["sigma2"]
    r = p / s_xx
    forms = {"gd": r * (1 - (1 - lr * s_xx) ** t[:, None]), "specgd": np.minimum(lr * t[:, None], r)}
    parts = [
        pd.DataFrame({"curve": n, "t": lr * t, "step": t, "group": f"class_{c}", "metric": "alpha", "value": v[:, c]})
        for n, v in forms.items()
        for c in range(3)
    ]
    return pd.concat(parts, ignore_index=True)[list(THEORY_COLUMNS)]


# --- linear softmax: the paper's stopping step is 400, later rows are rubbish ----------------------------


def softmax(seeds: int = 5) -> pd.DataFrame:
    """All of C4.* hold before the stopping step and none of them after it."""
    steps = np.arange(0, 601, 5)
    late = steps > 400
    best = {
        "specgd": (0.976, 40, 0.950, 0.90),
        "ngd": (0.955, 120, 0.951, 0.83),
        "signgd": (0.920, 200, 0.915, 0.75),
    }
    own = {"ngd": "frobenius", "signgd": "max", "specgd": "spectral"}
    parts = []
    for seed in range(seeds):
        draw = np.random.default_rng(seed)
        for optimizer, (peak, when, end, worst) in best.items():
            accuracy = np.where(steps <= when, 0.05 + (peak - 0.05) * steps / when, end) + draw.normal(0, 0.001)
            margins = {norm: 1.0 if own[optimizer] == norm else 0.8 for norm in own.values()}
            curves = {
                ("train", "all", "loss"): np.where(late, 3.0, 3 * np.exp(-steps / 40)),
                ("train", "all", "grad_norm"): np.where(steps >= 400, 1e-7, 1.0),
                ("test", "balanced", "accuracy"): np.where(late, 1 if optimizer == "specgd" else 0, accuracy),
                ("test", "worst", "accuracy"): np.where(late, 0, worst * (steps == when)) + draw.normal(0, 0.001),
            }
            for norm, value in margins.items():
                wrong = np.where(late, 2 - value, value * (1 - np.exp(-steps / 50)))
                curves["train", "all", f"margin_{norm}"] = wrong + draw.normal(0, 0.001)
            parts.append(rows("linear_softmax", optimizer, seed, steps, curves))
    return pd.concat(parts, ignore_index=True)


# --- spectrum of the logits: the even spectrum of SpecGD, the rise and fall of the others -----------------


def spectrum(seeds: int = 5) -> pd.DataFrame:
    """All of C31.*, A31.* hold."""
    steps = np.array([*range(41), *range(45, 201, 5)])
    shapes = {"ngd": (0.9, 10, 0.90, 3), "signgd": (0.7, 25, 0.89, 8), "specgd": (0.19, 1, 0.86, 30)}
    parts = []
    for seed in range(seeds):
        draw = np.random.default_rng(seed)
        for optimizer, (peak, centre, end, slow) in shapes.items():
            hump = (peak - 0.06) * (1 - np.exp(-steps / 2.0))
            fall = 1.0 if optimizer == "specgd" else 0.3 + 0.7 / (1 + np.exp((steps - 3 * centre) / 5))
            minority = end / (1 + np.exp(-(steps - centre) / 2.0)) + draw.normal(0, 0.003)
            curves = {
                ("train", "all", "logit_kl"): 0.06 + hump * fall + draw.normal(0, 0.0005),
                ("train", "all", "loss"): np.maximum(2.3 * np.exp(-steps / slow), 0.1),
                ("test", "majority", "accuracy"): np.where(steps == 0, 0.1, 1.0),
                ("test", "minority", "accuracy"): np.where(steps == 0, 0.1, minority),
            }
            parts.append(rows("logit_spectrum", optimizer, seed, steps, curves))
    return pd.concat(parts, ignore_index=True)


# --- alterations -----------------------------------------------------------------------------------------


def swapped(frame: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    """Two optimizers exchange their names."""
    return frame.assign(optimizer=frame["optimizer"].replace({a: b, b: a}))


def without(frame: pd.DataFrame, optimizer: str) -> pd.DataFrame:
    """One optimizer was not run."""
    return frame[frame["optimizer"] != optimizer].reset_index(drop=True)


def changed(frame: pd.DataFrame, change, seeds: list[int] | None = None, **where: str) -> pd.DataFrame:
    """``value`` replaced by ``change(steps, values)`` in the rows with these column values (and seeds)."""
    chosen = np.logical_and.reduce([frame[column] == value for column, value in where.items()])
    if seeds is not None:
        chosen &= frame["seed"].isin(seeds)
    assert chosen.any()
    steps, values = frame.loc[chosen, "step"].to_numpy(), frame.loc[chosen, "value"].to_numpy()
    copy = frame.copy()
    copy.loc[chosen, "value"] = np.broadcast_to(np.asarray(change(steps, values), dtype=float), values.shape)
    return copy


def diverged(frame: pd.DataFrame, optimizer: str, seeds: list[int], since: int = 20) -> pd.DataFrame:
    """The runs of these seeds blow up at a step."""
    chosen = (frame["optimizer"] == optimizer) & frame["seed"].isin(seeds) & (frame["step"] >= since)
    return frame.assign(value=frame["value"].mask(chosen), diverged=frame["diverged"] | chosen)


def collapsed(frame: pd.DataFrame, optimizer: str) -> pd.DataFrame:
    """The optimizer's models predict one class for every image at every step."""
    frame = changed(frame, lambda t, v: 0.5, optimizer=optimizer, metric="accuracy")
    return changed(frame, lambda t, v: 0.69, optimizer=optimizer, metric="loss")


# --- judging ---------------------------------------------------------------------------------------------


@functools.cache
def stated() -> dict[str, Claim]:
    """The repository's claims by id."""
    return {claim.id: claim for claim in claim_records.read_all(CLAIMS)}


def record(claim: str, frame: pd.DataFrame | None, scale: str = "laptop", **other) -> dict:
    """Record of one claim; the population experiment has its settings and theory unless others are given."""
    figures = other.pop("figures", None)
    name = stated()[claim].experiment
    if name == "population_linear":
        other = {"settings": {"mixture": MIXTURE}, "theory": closed_forms()} | other
    evidence = {name: Experiment(name, frame, **other)}
    if stated()[claim].contrast and frame is not None:
        evidence = {one: Experiment(one, part, **other) for one, part in frame.groupby("experiment")}
    evidence = {one: Experiment(one) for one in stated()[claim].experiments} | evidence
    return judging.judge(stated()[claim], evidence, scale, "real", figures)


def measured(name: str, *runs, **options):
    """A statistic by its name, with options as claim files word them."""
    statistic = protocol.named(name)
    return statistic.function(*runs, **statistic.options(options, name))


def verdict(claim: str, frame: pd.DataFrame | None, scale: str = "laptop", **other) -> str:
    """Verdict of one claim."""
    return record(claim, frame, scale, **other)["verdict"]
