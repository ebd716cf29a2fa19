"""Models by name, imported when asked for."""

import importlib
from types import ModuleType

from muon_imbalance.errors import UserError

MODELS = {
    "cnn": "muon_imbalance.models.cnn",
    "efficientnet_lite": "muon_imbalance.models.efficientnet_lite",
    "encoder": "muon_imbalance.models.encoder",
    "linear": "muon_imbalance.models.linear",
    "mlp": "muon_imbalance.models.mlp",
    "one_hidden": "muon_imbalance.models.one_hidden",
    "resnet": "muon_imbalance.models.resnet",
    "transformer": "muon_imbalance.models.transformer",
}


def module_name(name: str) -> str:
    """Dotted module of a model.

    Raises:
        UserError: unknown name.
    """
    if name not in MODELS:
        raise UserError(f"model {name!r} is unknown; allowed: {', '.join(sorted(MODELS))}")
    return MODELS[name]


def load(name: str) -> ModuleType:
    """Module of a model; it offers ``build(config, features, classes)``, a stack of models with written-out gradients,
    or, for networks trained on minibatches, ``build(config, shape, classes)``, a torch module.
    """
    return importlib.import_module(module_name(name))
