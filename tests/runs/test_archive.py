"""An archive's tables are those of the run, bit for bit, in fewer bytes."""

import numpy as np
import pandas as pd
from PIL import Image

from muon_imbalance.runs import archive, frames
from tests.analysis.synthetic import closed_forms, colored


def test_tables_are_the_same_and_smaller(tmp_path):
    frame = colored(3)
    frame.loc[3, "value"] = np.nan
    frames.write(tmp_path / "a.parquet", frame)
    archive.compact(tmp_path / "a.parquet", tmp_path / "kept" / "runs" / "a.parquet")
    pd.testing.assert_frame_equal(frames.read([tmp_path / "kept/runs/a.parquet"]), frame, check_exact=True)
    assert (tmp_path / "kept/runs/a.parquet").stat().st_size < 0.8 * (tmp_path / "a.parquet").stat().st_size


def test_tables_of_closed_forms(tmp_path):
    columns = frames.THEORY_COLUMNS
    frames.write(tmp_path / "t.parquet", closed_forms(5), columns=columns)
    archive.compact(tmp_path / "t.parquet", tmp_path / "kept.parquet", columns)
    pd.testing.assert_frame_equal(frames.read([tmp_path / "kept.parquet"], columns), closed_forms(5), check_exact=True)


def test_a_thumbnail_is_small(tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (900, 1400, 4), dtype=np.uint8)).save(tmp_path / "a.png")
    archive.thumbnail(tmp_path / "a.png", tmp_path / "kept" / "a.jpg")
    with Image.open(tmp_path / "kept" / "a.jpg") as small:
        assert small.size == (archive.WIDTH, 270)
