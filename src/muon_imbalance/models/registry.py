"""Models by name, imported when asked for."""

import importlib
from types import ModuleType

from muon_imbalance.common.errors import UserError

MODELS = {
    "cnn": "muon_imbalance.models.stacked.cnn",
    "efficientnet_lite": "muon_imbalance.models.modules.efficientnet_lite",
    "encoder": "muon_imbalance.models.modules.encoder",
    "linear": "muon_imbalance.models.stacked.linear",
    "mlp": "muon_imbalance.models.stacked.mlp",
    "one_hidden": "muon_imbalance.models.stacked.one_hidden",
    "resnet": "muon_imbalance.models.modules.resnet",
    "transformer": "muon_imbalance.models.modules.transformer",
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
