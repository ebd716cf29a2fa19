"""How stages start and end."""

import gc
import importlib
import sys

import pytest

import muon_imbalance
from muon_imbalance.common.errors import UserError, run_stage


@pytest.fixture(autouse=True)
def collecting():
    yield
    gc.unfreeze()
    gc.enable()


@pytest.mark.parametrize(("first", "enabled"), [("-m", False), ("pytest", True)])
def test_garbage_waits_only_while_a_stage_is_imported(monkeypatch, first, enabled):
    monkeypatch.setattr(sys, "argv", [first])
    importlib.reload(muon_imbalance)
    assert gc.isenabled() is enabled
    found = []
    run_stage(lambda: found.append(gc.isenabled()))
    assert found == [True]


def test_a_mistake_is_one_line_and_the_time_only_of_success(capsys):
    def fail():
        raise UserError("key is 1; allowed: 2")

    with pytest.raises(SystemExit, match="2"):
        run_stage(fail)
    assert capsys.readouterr().err == "error: key is 1; allowed: 2\n"
    run_stage(lambda: None)
    assert capsys.readouterr().err.startswith("processor time: ")
