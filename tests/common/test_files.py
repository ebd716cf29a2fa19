"""Files and folders written whole or not at all."""

import os

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import read_json, replacing, replacing_folder, write_json


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "new" / "a.json"
    before = os.umask(0o027)
    try:
        write_json(path, {"a": 1})
    finally:
        os.umask(before)
    assert read_json(path) == {"a": 1} and path.stat().st_mode & 0o777 == 0o640
    with pytest.raises(OSError, match="full"), replacing(path) as work:
        work.write_text("half")
        raise OSError("full")
    with pytest.raises(ValueError, match="nan|NaN|range"):
        write_json(path, {"a": float("nan")})
    assert read_json(path) == {"a": 1} and [one.name for one in path.parent.iterdir()] == ["a.json"]


def test_a_folder_is_replaced_whole_or_not_at_all(tmp_path):
    (tmp_path / ".set.partial-dead").mkdir()  # what a killed process left
    for content in ("one", "two"):
        with replacing_folder(tmp_path / "set") as new:
            (new / content).write_text(content)
            (new.parent / "archive").write_text("for the while")
    with pytest.raises(OSError, match="full"), replacing_folder(tmp_path / "set") as new:
        (new / "three").write_text("half")
        raise OSError("full")
    assert [str(path.relative_to(tmp_path)) for path in sorted(tmp_path.rglob("*"))] == ["set", "set/two"]
    (tmp_path / "file").write_text("a file")
    with pytest.raises(NotADirectoryError), replacing_folder(tmp_path / "file"):
        pass
    assert (tmp_path / "file").read_text() == "a file"


def test_a_file_that_is_not_what_it_should_be(tmp_path):
    path = tmp_path / "a.json"
    for text, message in ((None, "cannot be read"), ("{", "cannot be read"), ("[]", "holds list")):
        if text is not None:
            path.write_text(text)
        with pytest.raises(UserError, match=f"a.json {message}.*: delete it and run again"):
            read_json(path)
