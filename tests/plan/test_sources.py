"""Files that jobs depend on, and source files that Python cannot read."""

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.plan import sources

from .configurations import ROOT, plan_of, planned


def test_a_training_job_depends_on_what_it_imports():
    plan = plan_of("laptop")
    found = sources.training(plan, "colored_mnist", "muon")
    package = "src/muon_imbalance"
    assert {f"{package}/stages/train.py", f"{package}/optimizers/muon.py", f"{package}/plan/job.py"} <= set(found)
    assert {f"{package}/models/stacked/mlp.py", f"{package}/data/digits/colored_mnist.py"} <= set(found)
    assert not [path for path in found if "/reporting/" in path or "/claims/" in path or path.endswith("planning.py")]
    assert f"{package}/data/tables/organisms.csv" in sources.building(plan, "organisms")
    assert found == sorted(found) and all((ROOT / path).is_file() for path in found)


def test_a_class_is_trained_by_the_bridge_and_its_own_files():
    own = {"class": "tests.user_classes.sample_optimizers:Heavy", "lr": ["0.1"], "experiments": ["colored_mnist"]}
    plan = planned({"optimizers": {"mine": own}})
    found = sources.training(plan, "colored_mnist", "mine")
    assert any(path.endswith("sample_optimizers.py") for path in found)
    assert any(path.endswith("torch_class.py") for path in found)


@pytest.mark.parametrize("text", ["def broken(:\n", "x = 'a\n", "x = 1\n\x00"])
def test_a_broken_source_file_is_named(tmp_path, text):
    (tmp_path / "src" / "deep").mkdir(parents=True)
    (tmp_path / "src" / "good.py").write_text("x = 1\n")
    sources.check_syntax(tmp_path)
    (tmp_path / "src" / "deep" / "bad.py").write_text(text)
    with pytest.raises(UserError, match="deep/bad.py"):
        sources.check_syntax(tmp_path)
    (tmp_path / "src" / "deep" / "bad.py").write_text("x = 2  # mended\n")
    sources.check_syntax(tmp_path)


def test_a_file_that_is_no_text_is_named(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "bad.py").write_bytes(b"x = '\xff'\n")
    with pytest.raises(UserError, match="bad.py"):
        sources.check_syntax(tmp_path)


def test_a_broken_class_of_the_user_is_named(tmp_path):
    (tmp_path / "mine.py").write_text("import helper\nclass Heavy:\n    pass\n    x = (\n")
    own = {"class": "mine:Heavy", "path": str(tmp_path), "lr": ["0.1"], "experiments": ["colored_mnist"]}
    with pytest.raises(UserError, match=r"optimizer mine: .*mine.py, line 4: "):
        sources.check_classes(planned({"optimizers": {"mine": own}}))
