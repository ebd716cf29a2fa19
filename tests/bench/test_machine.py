"""The comparison with the budgets' machine: what is measured, and how it is told."""

import pytest

from benchmarks import machine

ABOUT = {"date": "2026-01-01", "processor": "some", "cores": "2", "torch": "2", "load": "0.0"}


def test_every_piece_of_work_is_measured():
    found = machine.measured(seconds=0.01)
    assert list(found) == list(machine.WORKS) and all(seconds > 0 for seconds in found.values())


def test_processes_side_by_side_give_their_mean(monkeypatch):
    assert list(machine.at_once(2, seconds=0.01)) == list(machine.WORKS)
    monkeypatch.setattr(machine.sys, "executable", "false")
    with pytest.raises(RuntimeError, match="failed"):
        machine.at_once(1)


def test_a_machine_twice_as_slow_has_ratio_two():
    twice = {name: 2 * work.seconds for name, work in machine.WORKS.items()}
    thrice = {name: 3 * work.seconds for name, work in machine.WORKS.items()}
    text = machine.page(twice, thrice, ABOUT)
    lines = [line for line in text.splitlines() if line.startswith("| ") and "ratio" not in line and "---" not in line]
    assert len(lines) == len(machine.WORKS)
    for line in lines:
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        assert cells[3] == "2.00" and cells[5] == "3.00"
        assert float(cells[2]) == pytest.approx(2 * float(cells[1]), rel=0.05)
