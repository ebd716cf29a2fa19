"""The tidy tables: written whole, read back alike, and refused when malformed."""

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.runs import frames
from tests.analysis.synthetic import closed_forms, colored, rows


@pytest.fixture
def frame() -> pd.DataFrame:
    return colored(2)


def test_what_is_written_is_read(tmp_path, frame):
    path = tmp_path / "new" / "muon.0.parquet"
    frames.write(path, frame)
    pd.testing.assert_frame_equal(frames.read([path]), frame)
    assert [p.name for p in path.parent.iterdir()] == [path.name]


def test_filters_and_several_files(tmp_path, frame):
    frames.write(tmp_path / "a.parquet", frame[frame["optimizer"] == "muon"])
    frames.write(tmp_path / "b.parquet", frame[frame["optimizer"] != "muon"])
    both = frames.read([tmp_path / "a.parquet", tmp_path / "b.parquet"], optimizer=["muon", "nmd"], seed=1)
    assert set(both["optimizer"]) == {"muon", "nmd"} and set(both["seed"]) == {1}
    with pytest.raises(UserError, match=r"filter by \['optimiser'\]: unknown column; allowed: experiment"):
        frames.read([tmp_path / "a.parquet"], optimiser="muon")


def test_theory_tables(tmp_path):
    frames.write(tmp_path / "t.parquet", closed_forms(5), columns=frames.THEORY_COLUMNS)
    assert set(frames.read([tmp_path / "t.parquet"], columns=frames.THEORY_COLUMNS, curve="gd")["curve"]) == {"gd"}
    with pytest.raises(UserError, match="columns are"):
        frames.read([tmp_path / "t.parquet"])


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda f: f.drop(columns="hyper"), "columns are"),
        (lambda f: f[f.columns[::-1]], "columns are"),
        (lambda f: f.assign(lr=0.1), "column 'lr' has type double; it must be text"),
        (lambda f: f.assign(seed=0.5), "column 'seed' .* must be integer"),
        (lambda f: f.assign(value=1), "column 'value' .* must be real"),
        (lambda f: f.assign(diverged=0), "column 'diverged' .* must be truth value"),
        (lambda f: f.assign(phase="finale"), "phase is .*finale.*; allowed: grid, final"),
        (lambda f: f.assign(split="tset"), "split is .*tset.*; allowed: train, validation, test, population"),
    ],
)
def test_a_malformed_table_is_not_written(tmp_path, frame, change, message):
    with pytest.raises(UserError, match=message):
        frames.write(tmp_path / "x.parquet", change(frame))
    assert not list(tmp_path.iterdir())


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        frames.read([tmp_path / "none.parquet"])
    with pytest.raises(UserError, match="empty"):
        frames.read([])
    (tmp_path / "x.parquet").write_text("nonsense")
    with pytest.raises(UserError, match="not a parquet table"):
        frames.read([tmp_path / "x.parquet"])
    pd.DataFrame({"a": [1]}).to_parquet(tmp_path / "y.parquet")
    with pytest.raises(UserError, match="columns are"):
        frames.read([tmp_path / "y.parquet"])


def test_curves_are_steps_by_seeds(frame):
    table = frames.curves(frame, "muon", "accuracy", "test", "minority")
    assert list(table.columns) == [0, 1] and list(table.index[:3]) == [0, 2, 4]
    chosen = frame.query("optimizer == 'muon' and group == 'minority' and metric == 'accuracy' and seed == 1")
    assert set(chosen["split"]) == {"train", "test"}, "the split is chosen, not only what is there"
    np.testing.assert_array_equal(table[1], chosen.query("split == 'test'")["value"])


def test_curves_say_what_there_is(frame):
    with pytest.raises(UserError, match=r"no final runs of 'mun'; there are \['muon'"):
        frames.curves(frame, "mun", "accuracy", "test", "minority")
    with pytest.raises(UserError, match=r"muon has no acuracy \(test, minority\); there are accuracy \(test"):
        frames.curves(frame, "muon", "acuracy", "test", "minority")
    with pytest.raises(UserError, match="no grid runs"):
        frames.curves(frame, "muon", "accuracy", "test", "minority", phase="grid")
    twice = rows("colored_mnist", "muon", 0, np.array([0]), {("test", "minority", "accuracy"): np.ones(1)})
    with pytest.raises(UserError, match="several runs of one seed"):
        frames.curves(pd.concat([frame, twice]), "muon", "accuracy", "test", "minority")
