"""What part of SpecGF's lead is imbalance and what part is step length (fig_s2).

Rows per mixture (``curve``), with the groups ``minority`` and ``balanced``:

* by time, ``t`` in (0, t*], ``step`` 1 .. points: ``loss_gf``, ``loss_ngf``, ``loss_specgf``,
  ``loss_specgf_slowed``; ``gap_gf``, ``gap_ngf`` (theorems: equal time), ``gap_ngf_slowed`` (equal Frobenius
  step) and ``step_length = gap_ngf - gap_ngf_slowed``;
* by progress, ``t`` in (0, 1), the share of the way of the total loss: ``equal_loss_gf`` (= NGF: same path),
  ``equal_loss_specgf`` and ``equal_loss_gap``; group ``all``: ``total``.
"""

from pathlib import Path

import numpy as np
import pandas as pd

from muon_imbalance.common.settings import Field, Settings
from muon_imbalance.theory import controls, flows, losses
from muon_imbalance.theory.bounds import PARTS
from muon_imbalance.theory.moments import Mixture, population_moments
from muon_imbalance.theory.options import Mixtures
from muon_imbalance.theory.tables.rows import frame, rows


class Options(Settings):
    """What part of SpecGF's lead is imbalance and what part is step length, by mixture (fig_s2)."""

    mixtures: Mixtures = Field(description="data models, by the name that their curves get")
    points: int = Field(ge=2, le=10_000, description="times, and shares of the way of the total loss, of each curve")


def table(options: Options, data: Path | None = None) -> pd.DataFrame:
    """The table, see the module's text."""
    parts = []
    for name, settings in options.mixtures.items():
        mixture = Mixture.of(settings)
        parts += _by_time(name, mixture, options.points) + _by_progress(name, mixture, options.points)
    return frame(parts)


def _by_time(name: str, mixture: Mixture, points: int) -> list[pd.DataFrame]:
    m = population_moments(mixture)
    steps = np.arange(1, points + 1)
    t = controls.first_fit_time(mixture) * steps / points
    alpha = {
        "gf": flows.gf(t, m.s_xx, m.s_yx),
        "ngf": flows.ngf(t, m.s_xx, m.s_yx),
        "specgf": flows.specgf(t, m.r),
        "specgf_slowed": flows.slowed_specgf(t, m.r),
    }
    found: dict[str, dict[str, np.ndarray]] = {
        f"loss_{flow}": losses.by_group(losses.class_losses(values, mixture), mixture) for flow, values in alpha.items()
    }
    found["gap_gf"] = controls.gaps(mixture, t, "gf")
    found["gap_ngf"] = controls.gaps(mixture, t, "ngf")
    found["gap_ngf_slowed"] = controls.gaps(mixture, t, "ngf", slowed=True)
    found["step_length"] = {part: found["gap_ngf"][part] - found["gap_ngf_slowed"][part] for part in PARTS}
    return [rows(name, metric, part, values[part], steps, t) for metric, values in found.items() for part in PARTS]


def _by_progress(name: str, mixture: Mixture, points: int) -> list[pd.DataFrame]:
    steps = np.arange(1, points + 1)
    progress = steps / (points + 1)
    found = controls.equal_loss(mixture, progress)
    parts = [rows(name, "total", "all", found["total"], steps, progress)]
    for part in PARTS:
        for metric, key in (("gf", f"gf_{part}"), ("specgf", f"specgf_{part}"), ("gap", f"{part}_gap")):
            parts.append(rows(name, f"equal_loss_{metric}", part, found[key], steps, progress))
    return parts
