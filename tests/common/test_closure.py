"""Import closures read from source text."""

import pytest

from muon_imbalance.common.closure import closure


@pytest.fixture
def tree(tmp_path):
    files = {
        "__init__.py": "",
        "a.py": "import numpy\nfrom muon_imbalance import b\n",
        "b.py": "def f():\n    from muon_imbalance.pack.c import thing\n",
        "pack/__init__.py": "",
        "pack/c.py": "from . import d\nthing = 1\n",
        "pack/d.py": "",
        "pack/unused.py": "",
    }
    for name, text in files.items():
        path = tmp_path / "muon_imbalance" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def names(tree, *roots):
    return [path.relative_to(tree / "muon_imbalance").as_posix() for path in closure(*roots, src=tree)]


def test_follows_imports_everywhere(tree):
    assert names(tree, "muon_imbalance.a") == [
        "__init__.py",
        "a.py",
        "b.py",
        "pack/__init__.py",
        "pack/c.py",
        "pack/d.py",
    ]


def test_leaves_out_what_is_not_imported(tree):
    assert names(tree, "muon_imbalance.pack.d") == ["__init__.py", "pack/__init__.py", "pack/d.py"]


def test_notices_a_changed_file(tree):
    before = names(tree, "muon_imbalance.pack.d")
    (tree / "muon_imbalance/pack/d.py").write_text("import muon_imbalance.pack.unused\n")
    assert names(tree, "muon_imbalance.pack.d") == sorted([*before, "pack/unused.py"])


def test_an_unknown_root_is_an_error(tree):
    with pytest.raises(ModuleNotFoundError, match=r"muon_imbalance\.nothing"):
        closure("muon_imbalance.nothing", src=tree)


def test_follows_a_folder_whose_modules_are_all_imported(tree):
    package = tree / "muon_imbalance"
    (package / "b.py").write_text('from muon_imbalance.a import everything\neverything("pack")\n')
    assert names(tree, "muon_imbalance.b")[-3:] == ["pack/c.py", "pack/d.py", "pack/unused.py"]
    (package / "pack/new.py").write_text("")
    assert "pack/new.py" in names(tree, "muon_imbalance.b")
