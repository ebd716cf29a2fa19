"""YAML as it is read: what it means, where it stands, and what is refused, by file and line."""

import re

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.yaml_files import parse, read

LAUGHS = "b0: &b0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n" + "".join(
    f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]\n" for n in range(1, 9)
)


def plain(text):
    return parse(text, "x.yaml").plain()


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-8", 1e-8), ("1.0e-8", 1e-8), ("5e-4", 5e-4), ("+1E3", 1e3), (".5", 0.5), ("1.", 1.0), ("-0.0", -0.0),
        ("0", 0), ("-12", -12), ("true", True), ("false", False), ("null", None), ("~", None), ("''", ""),
        ("'012'", "012"), ('"yes"', "yes"), ("012a", "012a"), ("1.2.3", "1.2.3"), ("a:b", "a:b"), ("=", "="),
        ("[]", []), ("{}", {}), ("[0.1, x]", [0.1, "x"]), ("|\n  two\n  lines\n", "two\nlines\n"),
        ("yesterday", "yesterday"),
    ],
)  # fmt: skip
def test_values(text, value):
    found = plain(f"key: {text}")["key"]
    assert found == value and type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        # a key twice, or one that is no text
        ("a: 1\nb: 2\na: 3", 3, "the key 'a' is given twice (first in line 1)"),
        ("x: {a: 1, a: 1}", 1, "the key 'a' is given twice"),
        ("x:\n  a: 1\n  b: {c: 1}\n  b: {d: 1}", 4, "the key 'b' is given twice (first in line 3)"),
        ("x: &x {a: 1}\ny:\n  <<: *x\n  <<: *x", 4, "the key '<<' is given twice"),
        ("x: 1\n5: y", 2, "the key 5 is no text; write it in quotes"),
        ("0.1: y", 1, "the key 0.1 is no text"),
        ("true: y", 1, "the key true is no text"),
        ("null: y", 1, "the key null is no text"),
        ("no: y", 1, "no is not allowed: write true or false"),
        ("2020-01-01: y", 1, "as a date"),
        ("?\n: y", 1, "a key is missing"),
        (": y", 1, "not valid YAML"),
        ("? [a, b]\n: y", 1, "a key must be text"),
        ("? {a: b}\n: y", 1, "a key must be text"),
        ("&x a: y\nb: *x", 1, "a key must be text, without tag, anchor or alias"),
        ("!!str a: y", 1, "a key must be text"),
        ('"a\\n": y', 1, r"the key 'a\n' holds a line break"),
        # words that are misread
        ("x:\n  steps: 012", 2, "012 is not allowed: a number has no leading zeros"),
        ("x: [1, 007]", 1, "leading zeros"),
        ("x: 08.5", 1, "leading zeros"),
        ("x: 0o17", 1, "write numbers in decimals"),
        ("x: 0x1F", 1, "write numbers in decimals"),
        ("x: 0b11", 1, "write numbers in decimals"),
        ("x: 1_000", 1, "without underscores"),
        ("x: 1_000.5", 1, "without underscores"),
        ("steps: 1:30", 1, "1:30 is not allowed: YAML counts it in sixties"),
        ("x: 190:20:30.15", 1, "in sixties"),
        ("x: yes", 1, "write true or false"),
        ("x: [Off]", 1, "write true or false"),
        ("x: True", 1, "True is not allowed: write true or false"),
        ("x: NULL", 1, "NULL is not allowed: write null"),
        ("x: .nan", 1, ".nan is not allowed: a number must be finite"),
        ("x: -.Inf", 1, "a number must be finite"),
        ("x: 1e999", 1, "is too large for a number"),
        ("x: " + "9" * 400, 1, "is too large for a number"),
        ("x: 2020-01-01", 1, "YAML reads it as a date"),
        ("x: 2020-01-01 10:00:00", 1, "YAML reads it as a date"),
        ("x:\ny: 1", 1, "a value is missing; write null to leave something out"),
        ("x: [1, , 2]", 1, "not valid YAML"),
        # tags, aliases, depth
        ("x: !!binary aGk=", 1, "the tag 'tag:yaml.org,2002:binary' is not allowed"),
        ("x: !!set {a, b}", 1, "the tag"),
        ("x: !!python/name:os.system ''", 1, "the tag"),
        ("x: !mine 1", 1, "the tag '!mine' is not allowed"),
        ("x: !!int '5'", 1, "the tag"),
        ("x: *nowhere", 1, "the alias *nowhere has no anchor before it"),
        ("x: &x [1, *x]", 1, "the alias *x lies within what it repeats"),
        ("x: &x\n  y: {z: *x}", 2, "the alias *x lies within what it repeats"),
        ("x:\n  <<: 5", 2, "'<<' takes a map or a list of maps"),
        ("x:\n  <<: [{a: 1}, b]", 2, "'<<' takes a map or a list of maps"),
        (LAUGHS, 5, "more than 100,000 values"),
        ("x: " + "[" * 5000 + "]" * 5000, 1, "nested more than 24 levels deep"),
        ("x: " + "{a: " * 5000 + "1" + "}" * 5000, 1, "nested more than 24 levels deep"),
        # syntax
        ("x:\n\ty: 1", 2, "there is a tab: indent with spaces"),
        ("x: 1\n  y: 2", 2, "mapping values are not allowed"),
        ("x: [1, 2", 2, "not valid YAML"),
        ("x: {a: 1\ny: 2", 2, "not valid YAML"),
        ("x: 'open", 1, "unexpected end of stream"),
        ("x: @home", 1, "cannot start any token"),
        ("x: `y`", 1, "cannot start any token"),
        ("x: a: b", 1, "mapping values are not allowed"),
        ("x: [a]]", 1, "not valid YAML"),
        ("x: - a", 1, "not valid YAML"),
        ("x: %y", 1, "not valid YAML"),
        ('x: "\\q"', 1, "unknown escape character"),
        ("a: 1\nx: \x00", 2, "control characters are not allowed"),
        ("a: 1\nb: \x07", 2, "control characters are not allowed"),
        ("x: 1\n---\ny: 2", 2, "a second document begins"),
        ("# nothing\n---\n---\nx: 1", 3, "a second document begins"),
        ("- a\n- b", 1, "allowed at the top level: a map of keys"),
        ("just text", 1, "allowed at the top level: a map of keys"),
        ("5", 1, "allowed at the top level: a map of keys"),
    ],
)  # fmt: skip
def test_faults_are_named_by_file_and_line(text, line, words):
    with pytest.raises(UserError) as refused:
        parse(text, "experiments/cifar.yaml")
    said = str(refused.value)
    assert said.startswith(f"experiments/cifar.yaml, line {line}: ") and words in said, said
    assert len(said) < 200 and "\n" not in said


@pytest.mark.parametrize(
    ("content", "line"),
    [("ü: 1\n".encode("latin-1"), 1), (b"a: 1\nb: \xff\n", 2), ("a: 1\n".encode("utf-16"), 1), (b"a: \xed\xa0\x80", 1)],
)
def test_what_is_not_utf_8_is_refused(tmp_path, content, line):
    (tmp_path / "x.yaml").write_bytes(content)
    with pytest.raises(UserError, match=f"x.yaml, line {line}: this is not UTF-8"):
        read(tmp_path / "x.yaml")


def test_files(tmp_path):
    (tmp_path / "x.yaml").write_text("# nothing but a comment\n")
    assert read(tmp_path / "x.yaml").plain() == {}
    (tmp_path / "x.yaml").write_bytes(b"\xef\xbb\xbfa: \xc3\xbc\r\nb: 2\r\n")
    node = read(tmp_path / "x.yaml", "x.yaml")
    assert node.plain() == {"a": "ü", "b": 2} and node.value["b"].place == "x.yaml, line 2"
    for wrong in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(UserError, match=f"^{re.escape(str(wrong))} cannot be read: "):
            read(wrong)


def test_every_value_knows_its_line():
    node = parse("a: 1\nb:\n  c: [1,\n    2]\n  d: {e: x,\n      f: y}\n", "x.yaml")
    lines = {path: inner.line for path, inner in node.within()}
    assert lines == {"a": 1, "b": 2, "b.c": 3, "b.c.0": 3, "b.c.1": 4, "b.d": 5, "b.d.e": 5, "b.d.f": 6}


def test_anchors_and_merges_mean_what_they_do_in_yaml():
    text = "a: &a {x: 1, y: {z: 1}}\nb: {<<: *a, y: 2}\nc: {<<: [{x: 0}, *a], w: *a}\nd: {'<<': 1}\n"
    node = parse(text, "x.yaml")
    assert node.plain() == {
        "a": {"x": 1, "y": {"z": 1}}, "b": {"x": 1, "y": 2}, "c": {"x": 0, "y": {"z": 1}, "w": {"x": 1, "y": {"z": 1}}},
        "d": {"<<": 1},
    }  # fmt: skip
    assert node.value["b"].value["x"].line == 1 and node.value["b"].value["y"].line == 2
