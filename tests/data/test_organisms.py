"""The table of organisms and its directions: facts of the paper's text, independent recomputation, refusals."""

import csv

import numpy as np
import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data.sources.digest import file_sha256
from muon_imbalance.data.store import array_files, manifest
from muon_imbalance.data.tables import concepts, organisms

PLANTS, MAMMALS = "apple orange rose tulip".split(), "dog wolf cat tiger".split()
OTHERS = "sparrow eagle salmon trout".split()
NAMED = {  # in the paper's text
    "uses sunlight for food": PLANTS,
    "grows roots": PLANTS,
    "needs oxygen": MAMMALS + OTHERS,
    "can move around": MAMMALS + OTHERS,
    "stays warm-blooded": MAMMALS,
}
PAIRS = {"plants": 8, "animals": 16, "mammals": 8, "other_animals": 4, "fruit": 2, "flowers": 2, "canines": 2,
         "felines": 2, "birds": 2, "fish": 2}  # fmt: skip


@pytest.fixture(scope="module")
def table():
    return organisms.read_table()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    out = tmp_path_factory.mktemp("organisms") / "organisms"
    organisms.build({}, {}, out)
    return out


def test_the_table_holds_what_the_text_says(table):
    assert table.organisms == PLANTS + MAMMALS + OTHERS and len(table.attributes) == 13
    for name, owners in NAMED.items():
        row = table.has[table.attributes.index(name)]
        assert [organism for organism, has in zip(table.organisms, row, strict=True) if has] == owners
    marked = dict(zip(table.attributes, table.sources, strict=True))
    assert {name for name, source in marked.items() if source == "text"} == set(NAMED)
    assert table.categories == list(PAIRS) and table.level.tolist() == [0, 0, 1, 1, *[2] * 6]


def test_probabilities_are_recomputed_from_the_file(table):
    with open(organisms.TABLE, encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    expected = np.zeros((12, 13))
    for a, row in enumerate(rows):
        owners = [o for o, name in enumerate(table.organisms) if row[name] == "1"]
        expected[owners, a] = 1 / len(owners)
    np.testing.assert_allclose(table.probability, expected, atol=1e-15)
    assert table.probability.sum(0) == pytest.approx(np.ones(13))


def test_manifest_counts_and_hashes(folder, table, tmp_path):
    found = manifest.verify(folder, organisms.describe)
    assert found["counts"] == {"train": {"all": 48} | PAIRS} and found["shape"] == [13] and found["kind"] == "composed"
    assert found["source"] == {"name": "organisms.csv", "sha256": file_sha256(organisms.TABLE),
                               "attributes": {"text": 5, "chosen": 8}}  # fmt: skip
    loaded = organisms.load_table(folder)
    np.testing.assert_array_equal(loaded.has, table.has)
    assert (loaded.attributes, loaded.sources, loaded.categories) == (table.attributes, table.sources, table.categories)
    np.testing.assert_array_equal(organisms.load(folder, "train", [0, 4])["probability"], table.probability)
    organisms.build({}, {}, tmp_path / "same")
    assert (tmp_path / "same" / array_files.ARRAYS).read_bytes() == (folder / array_files.ARRAYS).read_bytes()


def test_a_changed_entry_is_noticed(folder, tmp_path):
    arrays = array_files.read_arrays(folder)
    arrays["has"] = arrays["has"].copy()
    arrays["has"][0, 4] = 1
    text = (folder / array_files.MANIFEST).read_text()
    array_files.publish(tmp_path / "changed", arrays, text)
    with pytest.raises(UserError, match="build the data set again"):
        manifest.verify(tmp_path / "changed", organisms.describe)


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("coarse,text,1,1,1,1,0", "coarse,text,1,1,1,2,0", "the entry '2'; allowed: 0, 1"),
        ("plants,coarse,text", "plants,top,text", "level = 'top'; allowed: coarse, middle, fine"),
        ("plants,coarse,text", "plants,coarse,paper", "source = 'paper'; allowed: text, chosen"),
        ("has scales,fish,fine,chosen,0,0,0,0,0,0,0,0,0,0,1,1", "has scales,fish,fine,chosen,0,0,0,0,0,0,0,0,0,0,0,0",
         "every attribute an organism"),
        ("needs oxygen,animals,coarse,text,0", "needs oxygen,animals,coarse,text,1", "of animals must agree"),
        ("is a canine,canines,fine,chosen,0,0,0,0,1,1,0", "is a canine,canines,fine,chosen,0,0,0,1,1,1,0",
         "canines must be a part of|apart from"),
        ("is a feline,felines,fine", "is a feline,felines,middle", "sorted by level"),
        ("attribute,category", "name,category", "allowed: the columns attribute, category, level, source"),
        ("has scales,fish,", "has scales,", "allowed: the columns"),
    ],
)  # fmt: skip
def test_a_table_that_is_no_hierarchy_is_refused(tmp_path, before, after, told):
    text = organisms.TABLE.read_text(encoding="utf-8")
    assert before in text
    changed = tmp_path / "table.csv"
    changed.write_text(text.replace(before, after), encoding="utf-8")
    with pytest.raises(UserError, match=told):
        organisms.read_table(changed)


def test_other_refusals(folder, tmp_path):
    with pytest.raises(UserError, match="organisms: unknown key 'seed'; allowed: no key"):
        organisms.build({"seed": 1}, {}, tmp_path / "out")
    with pytest.raises(UserError, match="split = 'test'; allowed: train"):
        organisms.load(folder, "test")
    with pytest.raises(UserError, match="is not a table of attributes"):
        organisms.read_table(tmp_path / "absent.csv")


# --- directions ------------------------------------------------------------------------------------------


def test_modes_are_the_singular_value_decomposition(table):
    found, c = concepts.modes(table), table.probability - 1 / 12
    assert found.names == ["mode_1", "mode_2", "mode_3a", "mode_3b", "mode_3c"]
    assert found.size == pytest.approx(np.linalg.svd(c, compute_uv=False)[:5])
    assert found.size == pytest.approx([1.034, 0.921, *[0.5**0.5] * 3], abs=5e-4)
    for side in (found.left, found.right):
        np.testing.assert_allclose(side @ side.T, np.eye(5), atol=1e-12)
    np.testing.assert_allclose(np.einsum("m,mo,ma->oa", found.size, found.left, found.right), c, atol=1e-12)


def test_modes_of_equal_size_are_the_finest_pairs(table):
    """The three of size 1/sqrt(2): (1, 1, -1, -1)/2 on two pairs of organisms each, whatever basis LAPACK gives."""
    finest = np.abs(concepts.modes(table).left[2:])
    expected = np.kron(np.eye(3), np.full((1, 4), 0.5))
    np.testing.assert_allclose(finest, expected, atol=1e-9)


def test_distinctions_are_contrasts_of_siblings(table):
    found = concepts.distinctions(table)
    assert found.names == ["level_1", "level_2", "level_3a", "level_3b", "level_3c"]
    coarse = np.array([2.0] * 4 + [-1.0] * 8) / 24**0.5
    middle = np.array([0.0] * 4 + [1.0] * 4 + [-1.0] * 4) / 8**0.5
    np.testing.assert_allclose(found.left[:2], [coarse, middle], atol=1e-12)
    np.testing.assert_allclose(found.left @ found.left.T, np.eye(5), atol=1e-12)
    assert found.size[0] == pytest.approx(np.linalg.norm(coarse @ table.probability))


@pytest.mark.parametrize("kind", [concepts.modes, concepts.distinctions])
def test_shares_are_0_at_the_uniform_answer_and_1_at_the_solution(table, kind):
    templates = kind(table).templates
    for answer, share in ((np.full((12, 13), 1 / 12), 0), (table.probability, 1)):
        assert np.einsum("moa,oa->m", templates, answer - 1 / 12) == pytest.approx(np.full(5, share), abs=1e-12)
    half = table.probability.copy()  # all that tells canines from felines is forgotten
    for name in ("is a canine", "is a feline"):
        half[:, table.attributes.index(name)] = table.probability[:, table.attributes.index("stays warm-blooded")]
    shares = dict(zip(kind(table).names, np.einsum("moa,oa->m", templates, half - 1 / 12), strict=True))
    assert shares[kind(table).names[3]] == pytest.approx(0, abs=1e-12)
    assert shares[kind(table).names[0]] == pytest.approx(1) and shares[kind(table).names[4]] == pytest.approx(1)


def test_three_siblings_are_refused(table, tmp_path):
    text = organisms.TABLE.read_text(encoding="utf-8").replace(
        "has scales,fish,fine,chosen,0,0,0,0,0,0,0,0,0,0,1,1",
        "is salty,sea_fish,fine,chosen,0,0,0,0,0,0,0,0,0,0,1,0\n"
        "is fresh,brook_fish,fine,chosen,0,0,0,0,0,0,0,0,0,0,0,1",
    )
    (tmp_path / "table.csv").write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match="birds, sea_fish, brook_fish; allowed: two siblings"):
        concepts.distinctions(organisms.read_table(tmp_path / "table.csv"))


def test_confusion_counts_examples(table):
    """Example by example, in words: the row is the category named, columns are all that the answer belongs to."""
    draw = np.random.default_rng(0)
    answers = draw.integers(0, 12, (3, 13))
    expected = np.zeros((3, 10, 10))
    for model in range(3):
        for a, row in enumerate(table.category):
            for _ in range(table.has[a].sum()):
                for column in range(10):
                    expected[model, row, column] += table.members[column, answers[model, a]]
    first = np.eye(12)[answers].swapaxes(1, 2)
    found = concepts.confusion(table, first)
    np.testing.assert_allclose(found, expected)
    right = concepts.confusion(table, table.probability)
    assert np.diagonal(right) == pytest.approx(list(PAIRS.values()))
