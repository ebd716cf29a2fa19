"""Fashion-MNIST in the place of MNIST, by lines of the configuration alone."""

import json

import numpy as np
import pandas as pd
import pytest

from muon_imbalance.data.digits import idx

PARENT = ("experiments/colored_mnist.yaml", "parent: mnist # or fashion_mnist", "parent: fashion_mnist")


def test_one_line_makes_fashion_mnist_the_parent(fresh):
    fresh.edit(*PARENT)
    done = fresh.run("-n", "fig_01")
    assert "data/sources/fashion_mnist_deb.json" in done.stdout and "mnist_5k" not in done.stdout


@pytest.mark.slow
def test_a_figure_from_a_folder_of_fashion_mnist(fresh, tmp_path):
    """Random images in the official format, not verified: the figure and the manifest say what they are."""
    folder, rng = tmp_path / "mine", np.random.default_rng(0)
    folder.mkdir()
    for split, count in (("train", 1500), ("t10k", 300)):
        idx.write(folder / f"{split}-images-idx3-ubyte.gz", rng.integers(0, 256, (count, 28, 28), dtype=np.uint8))
        idx.write(folder / f"{split}-labels-idx1-ubyte.gz", (np.arange(count) % 10).astype(np.uint8))
    fresh.edit(*PARENT)
    fresh.edit(
        "experiments/shared.yaml", "{source: fashion_mnist_deb}", "{source: fashion_mnist_folder, verify: false}"
    )
    fresh.edit("config.yaml", "data_dir: null", f"data_dir: {json.dumps(str(folder))}")
    fresh.run("fig_01")
    label = "Colored images (Fashion-MNIST-format images of the user (unverified); 14 x 14, n = 1,000)"
    sidecar = json.loads((fresh.folder / "results/smoke/figures/fig_01_colored_mnist.json").read_text())
    assert label in json.dumps(sidecar["data"])
    parent = json.loads((fresh.folder / "data/datasets/smoke/fashion_mnist/manifest.json").read_text())
    assert (parent["name"], parent["kind"]) == ("fashion_mnist", "real-other")
    assert not (fresh.folder / "data/datasets/smoke/mnist").exists()
    table = pd.read_parquet(fresh.folder / "results/smoke/runs/colored_mnist/nmd.0.parquet")
    assert np.isfinite(table["value"]).all() and len(table)
