"""Dataset builders by name, imported when asked for.

A builder offers ``build(config, sources, out)``, ``load(path, split, repetitions)`` and ``describe(arrays)``.
"""

import importlib
from types import ModuleType

from muon_imbalance.common.errors import UserError

BUILDERS = {
    "addk": "muon_imbalance.data.text.addk",
    "barcoded_mnist": "muon_imbalance.data.digits.barcoded_mnist",
    "celeba": "muon_imbalance.data.photos.celeba",
    "cifar10": "muon_imbalance.data.photos.cifar10",
    "cifar100": "muon_imbalance.data.photos.cifar100",
    "colored_mnist": "muon_imbalance.data.digits.colored_mnist",
    "dominoes": "muon_imbalance.data.photos.dominoes",
    "encoder_weights": "muon_imbalance.data.pretrained.encoder_weights",
    "fractal100": "muon_imbalance.data.photos.fractal100",
    "gaussian_mixture": "muon_imbalance.data.tables.gaussian_mixture",
    "image_features": "muon_imbalance.data.pretrained.image_features",
    "mnist": "muon_imbalance.data.digits.mnist",
    "multinli": "muon_imbalance.data.text.multinli",
    "network_weights": "muon_imbalance.data.pretrained.network_weights",
    "organisms": "muon_imbalance.data.tables.organisms",
    "portraits": "muon_imbalance.data.pretrained.portraits",
    "skygroups": "muon_imbalance.data.photos.skygroups",
    "step_imbalance": "muon_imbalance.data.photos.step_imbalance",
    "tales": "muon_imbalance.data.text.tales",
    "text_features": "muon_imbalance.data.pretrained.text_features",
    "tinystories": "muon_imbalance.data.text.tinystories",
    "toynli": "muon_imbalance.data.text.toynli",
    "toystories": "muon_imbalance.data.text.toystories",
    "transfer": "muon_imbalance.data.pretrained.transfer",
}


def module_name(builder: str) -> str:
    """Dotted module of a builder.

    Raises:
        UserError: unknown name.
    """
    if builder not in BUILDERS:
        raise UserError(f"builder = {builder!r} is unknown; allowed: {', '.join(sorted(BUILDERS))}")
    return BUILDERS[builder]


def module(builder: str) -> ModuleType:
    """The builder's module."""
    return importlib.import_module(module_name(builder))
