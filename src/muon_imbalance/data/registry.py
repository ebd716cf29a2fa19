"""Dataset builders by name, imported when asked for.

A builder offers ``build(config, sources, out)``, ``load(path, split, repetitions)`` and ``describe(arrays)``.
"""

import importlib
from types import ModuleType

from muon_imbalance.errors import UserError

BUILDERS = {
    "addk": "muon_imbalance.data.addk",
    "barcoded_mnist": "muon_imbalance.data.barcoded_mnist",
    "celeba": "muon_imbalance.data.celeba",
    "cifar10": "muon_imbalance.data.cifar10",
    "cifar100": "muon_imbalance.data.cifar100",
    "colored_mnist": "muon_imbalance.data.colored_mnist",
    "dominoes": "muon_imbalance.data.dominoes",
    "encoder_weights": "muon_imbalance.data.encoder_weights",
    "fractal100": "muon_imbalance.data.fractal100",
    "gaussian_mixture": "muon_imbalance.data.gaussian_mixture",
    "image_features": "muon_imbalance.data.image_features",
    "mnist": "muon_imbalance.data.mnist",
    "multinli": "muon_imbalance.data.multinli",
    "organisms": "muon_imbalance.data.organisms",
    "portraits": "muon_imbalance.data.portraits",
    "pretrained": "muon_imbalance.data.pretrained",
    "skygroups": "muon_imbalance.data.skygroups",
    "step_imbalance": "muon_imbalance.data.step_imbalance",
    "tales": "muon_imbalance.data.tales",
    "text_features": "muon_imbalance.data.text_features",
    "tinystories": "muon_imbalance.data.tinystories",
    "toynli": "muon_imbalance.data.toynli",
    "toystories": "muon_imbalance.data.toystories",
    "transfer": "muon_imbalance.data.transfer",
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
