"""Processors with matrix units for bfloat16: left out of the measurement, then measured by themselves."""

import dataclasses
import os

import pytest
import torch

from benchmarks import gates, matrix_units, page, speed
from benchmarks.timing import Times

from . import tiny
from .test_page import WORDS


@pytest.mark.parametrize(("there", "given", "left_out"), [(True, "", True), (False, "", False), (True, "AVX2", False)])
def test_they_are_left_out_where_there_are_any_and_the_user_has_not_decided(monkeypatch, there, given, left_out):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": there})
    monkeypatch.setenv(matrix_units.VARIABLE, given)
    if not given:
        monkeypatch.delenv(matrix_units.VARIABLE)
    assert matrix_units.leave_out() == left_out
    assert os.environ.get(matrix_units.VARIABLE, "") == (matrix_units.WITHOUT if left_out else given)


def test_capabilities_have_the_name_that_is_asked_for():
    """Elsewhere than on x86 there are no such units, and the name may be missing."""
    assert "amx_bf16" in torch.cpu.get_capabilities() or torch.cpu.get_capabilities()["architecture"] != "x86_64"


def test_a_process_of_its_own_measures_without_the_variable(monkeypatch):
    monkeypatch.setenv(matrix_units.VARIABLE, "no such instructions")
    found = matrix_units.times("ResNet-18 w16", 0.01, None)
    assert {"Muon", "torch.optim.Muon", "pytorch-optimizer Muon"} <= found.keys()
    assert all(seconds > 0 for each in found.values() for seconds in each.rounds)


def test_what_was_measured_with_them_is_judged_and_shown_by_itself():
    times = {"Muon": Times((3.0,)), "torch.optim.Muon": Times((1.0,)), f"{speed.GEMM} 512": Times((1.0,))}
    found = dataclasses.replace(tiny.results(), matrix_units={"MLP": times})
    judged = {gate.what: gate for gate in gates.gates(found) if gate.where == "1 thread, matrix units"}
    assert judged["step time of our Muon / torch.optim.Muon, worst set"].value == 3.0
    assert not any(gate.passed for gate in judged.values())
    assert "GEMM" not in " ".join(judged)
    text = page.page(found, WORDS)
    assert matrix_units.WITHOUT in text and matrix_units.WITHOUT not in page.page(tiny.results(), WORDS)
    assert max(len(line) for line in text.splitlines() if not line.startswith("|")) <= 120
