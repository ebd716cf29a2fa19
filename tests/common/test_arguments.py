"""JSON on the command line of a stage."""

import pytest

from muon_imbalance.common.arguments import json_argument
from muon_imbalance.common.errors import UserError


def test_text_and_files_are_read(tmp_path):
    (tmp_path / "runs.json").write_text('{"a": [1, 2.5]}')
    assert json_argument('{"a": 1}', "--runs") == {"a": 1}
    assert json_argument(f"@{tmp_path / 'runs.json'}", "--runs") == {"a": [1, 2.5]}
    assert json_argument("[1]", "--runs", (list, dict)) == [1]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "--runs is not JSON: "),
        ("@nowhere.json", "--runs is not JSON: .*No such file or directory: 'nowhere.json'"),
        ('{"a": NaN}', "--runs is not JSON: NaN is no number of JSON"),
        ('{"a": -Infinity}', "--runs is not JSON: -Infinity"),
        ("[1]", r"--runs is \[1\]; it must be a JSON dict"),
        ("null", "--runs is None; it must be a JSON dict"),
    ],
)
def test_anything_else_is_refused(text, message):
    with pytest.raises(UserError, match=message):
        json_argument(text, "--runs")
