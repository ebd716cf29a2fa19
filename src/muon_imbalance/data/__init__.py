"""Data sets: what they are made from, how they are built, and how they lie on disk. Nothing here trains.

``sources`` says where bytes come from and fetches them, ``store`` keeps arrays and manifests; ``digits``, ``photos``,
``text``, ``tables`` and ``pretrained`` hold one builder a file. A file there that declares ``Options`` is a builder
(:mod:`muon_imbalance.data.builder` says what else it offers), found by its name; other files are their helpers.
"""
