"""A whole tiny measurement, its gates and its page."""

import dataclasses

import pytest
import torch

from benchmarks import agreement, gates, memory, page, speed
from benchmarks.timing import Times

from . import tiny

WORDS = {"processor": "a processor", "cores": "2", "torch": "2", "library": "4", "date": "2000-01-01"}


def test_the_page_has_every_part():
    text = page.page(tiny.results(), WORDS)
    for part in ("Bounds", "Agreement", "step time", "Polar factors", "Memory", "Traps", "Repeat it"):
        assert part in text
    assert "Not available in this run" in text and "KellerJordan/Muon" in text
    assert "Rows without explanation: 0." in text
    assert any("agreement: part" in line for line in tiny.progress)
    assert max(len(line) for line in text.splitlines() if not line.startswith("|")) <= 120


def test_tables_are_whole():
    """Every line of a table has the columns of its head."""
    columns = 0
    for line in page.page(tiny.results(), WORDS).splitlines():
        count = line.count(" | ") if line.startswith("|") else 0
        assert not (columns and count) or count == columns, line
        columns = count


def test_every_explanation_is_a_row_of_the_page():
    assert "missing |" not in page.page(tiny.results(), WORDS)


@pytest.mark.parametrize("factor", [0.49, 0.51])
def test_gates_are_judged_on_the_measured_times(factor):
    """Ours at 0.49 and 0.51 of torch's time."""
    found = with_times({"Muon": factor, "torch.optim.Muon": 1.0, "pytorch-optimizer Muon": 0.6})
    judged = {gate.what: gate for gate in gates.gates(found)}
    gate = judged["step time of our Muon / torch.optim.Muon, worst set"]
    assert gate.value == pytest.approx(factor)
    assert gate.passed == (factor < 0.5)
    assert judged["step time of our Muon / fastest public Muon, worst set"].value == pytest.approx(factor / 0.6)
    assert ("**no**" in page.page(found, WORDS).split("## Agreement")[0]) or factor < 0.5


def with_times(seconds):
    times = {name: Times((value,)) for name, value in seconds.items()}
    times |= {f"GEMM {side}": Times((1.0,)) for side in speed.GEMM_SIDES}
    return dataclasses.replace(tiny.results(), muon={1: {"MLP": times}})


def test_one_unexplained_row_fails_its_gate_and_is_named():
    spoilt = [dataclasses.replace(o, differences={"MLP": {1: 9.0}}) for o in tiny.results().outcomes[1:2]]
    found = dataclasses.replace(tiny.results(), outcomes=[*tiny.results().outcomes[:1], *spoilt])
    (gate,) = [gate for gate in gates.gates(found) if "agreement" in gate.what]
    assert not gate.passed and gate.value == len(agreement.unexplained(found.outcomes)) == 2
    assert "torch.optim.Muon float64: 9.0e+00 is above its tolerance" in page.page(found, WORDS)


def test_our_iteration_is_near_the_float64_one_and_half_precision_is_not():
    for errors in tiny.results().errors.values():
        assert errors["ours, float32"] < 1e-3 < errors["plain, bfloat16 (torch, Keller Jordan)"]


def test_memory_grows_by_the_state():
    """A hundred times the weights kept in the state show at least half."""

    class Hoarder(torch.optim.SGD):
        def step(self):
            for param in self.param_groups[0]["params"]:
                self.state[param]["hoard"] = torch.ones(100, *param.shape)

    assert memory.growth(lambda params: Hoarder(params, lr=1.0), [(300, 300)], steps=1) > 50


@pytest.mark.slow
def test_memory_is_measured_in_a_process_of_its_own():
    """Two moments of 45 MB each, far more than the pages by which a kernel's count of a process may lag behind."""
    name = "torch.optim.Adam, foreach"
    assert memory.measure([name], "ResNet-18 w64", None, workers=1)[name] > 1
