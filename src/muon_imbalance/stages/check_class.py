"""Stage: try out a user's torch class before anything is trained with it.

It is imported, built with every cell of its sweeps, and makes three steps on a small problem. What a change of the
class shows in goes into the file that its training jobs depend on.
"""

import argparse
import inspect
import logging
from pathlib import Path

import torch

from muon_imbalance.common.arguments import as_json
from muon_imbalance.common.closure import module_file
from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.common.files import write_json
from muon_imbalance.common.progress import start_logging
from muon_imbalance.optimizers.torch_bridge import torch_class, user_code
from muon_imbalance.plan.job import cells
from muon_imbalance.training.checkpoints import key

log = logging.getLogger("muon_imbalance")


def try_out(name: str, described: dict, case: dict) -> torch_class.TorchClass:
    """Three steps with every cell of one experiment; returns the last optimizer.

    Args:
        case: ``experiment``, ``hyper`` (fixed), ``grid``, ``dtype``, ``vectors`` (whether its model has any).
    """
    for cell in cells(case["grid"]):
        optimizer = torch_class.build(name, described, case["hyper"], cell)
        params, gradients = torch_class.small_problem(case["vectors"], getattr(torch, case["dtype"]))
        state = optimizer.init(params)
        for _ in range(3):
            params, state = optimizer.step(params, gradients(params), state)
        if not all(bool(param.isfinite().all()) for param in params.values()):
            log.info(f"note: {name} is not finite after 3 steps with {cell} on a small problem")
    return optimizer


def record(name: str, described: dict, cases: list[dict]) -> dict:
    """What the check found.

    Raises:
        UserError: the class cannot be imported, built or stepped; the message names optimizer and experiment.
    """
    cls = torch_class.load(name, described)
    optimizer = None
    for case in cases:
        try:
            optimizer = try_out(name, described, case)
        except UserError as error:
            raise UserError(f"{error} (experiment {case['experiment']})") from error.__cause__
    if not optimizer.resumable:
        log.info(f"note: {name}: its state cannot be stored; an interrupted training starts from the beginning")
    path = described.get("path")
    sources, version = user_code.origin(described["class"], path)
    defined = module_file(cls.__module__, user_code.folder(cls.__module__, path) or Path())
    return {
        "name": name,
        "class": described["class"],
        "defined_in": cls.__module__,
        "version": version,
        "code_sha256": key({"version": version}, {*sources, *filter(None, [defined])}),
        "arguments": {key: repr(value) for key, value in torch_class.options(cls)[0].items()},
        "resumable": optimizer.resumable,
        "step": str(inspect.signature(cls.step)),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--name", required=True, help="name of the optimizer in the configuration")
    parser.add_argument("--own", required=True, type=as_json("--own"), help="JSON: class, path, only_matrices")
    parser.add_argument("--cases", required=True, type=as_json("--cases", list), help="JSON: what it is tried out with")
    parser.add_argument("--output", type=Path, required=True, help="record to write (JSON)")
    arguments = parser.parse_args()
    start_logging()
    found = record(arguments.name, arguments.own, arguments.cases)
    write_json(arguments.output, found)
    log.info(f"{arguments.name}: {found['class']} ({found['version'] or 'your own file'}) can be trained")


if __name__ == "__main__":
    run_stage(main)
