"""Where further public implementations are looked for."""

import sys

import pytest

from benchmarks import references
from benchmarks.contestants import fetched
from muon_imbalance.common.errors import UserError


@pytest.fixture
def clean(monkeypatch):
    """No reference on the import path, none left behind."""
    monkeypatch.delenv(references.VARIABLE, raising=False)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path])
    for name in references.KNOWN:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield
    for name in references.KNOWN:
        sys.modules.pop(name, None)


def test_none_is_available_without_a_folder(clean):
    assert references.folder(None) is None
    assert references.find(None) == {"muon": None, "distributed_shampoo": None}
    assert fetched(references.find(None)) == {}


def test_a_checkout_one_folder_below_is_found(clean, tmp_path, monkeypatch):
    (tmp_path / "Muon").mkdir()
    (tmp_path / "Muon/muon.py").write_text("class SingleDeviceMuon:\n    def __init__(self, params, **hyper): pass\n")
    monkeypatch.setenv(references.VARIABLE, str(tmp_path))
    modules = references.find(references.folder(None))
    assert modules["muon"].__file__ == str(tmp_path / "Muon/muon.py")
    assert modules["distributed_shampoo"] is None
    assert list(fetched(modules)) == ["Keller Jordan's Muon"]


def test_another_module_of_that_name_is_not_taken(clean, tmp_path):
    (tmp_path / "muon.py").write_text("particle = True\n")
    assert references.find(tmp_path)["muon"] is None


def test_a_folder_that_does_not_exist_is_told(tmp_path):
    with pytest.raises(UserError, match="allowed: an existing folder"):
        references.folder(str(tmp_path / "nowhere"))
