# Functions about the configuration; no rules.
import functools
import json
import sys
from pathlib import Path

from snakemake.exceptions import WorkflowError

ROOT = Path(workflow.snakefile).resolve().parent
while not (ROOT / "config.yaml").is_file():
    ROOT = ROOT.parent
sys.path.insert(0, str(ROOT / "src"))

from muon_imbalance.optimizers.torch_bridge import user_code
from muon_imbalance.plan import families, sweeps
from muon_imbalance.common.closure import closure, module_file
from muon_imbalance.analysis.claims import claim_records
from muon_imbalance.plan.config import cells, check_references, check_schema, stand_ins, without_nulls
from muon_imbalance.common.errors import UserError
from muon_imbalance.data import registry as builders
from muon_imbalance.models import registry as models
from muon_imbalance.optimizers import registry as optimizer_registry

closure = functools.cache(closure)  # the rules ask for the same modules again and again

def loaded(given):
    """The settings at the scale asked for; ``given`` is what --config and --configfile say."""
    try:
        return families.load(ROOT, given, workflow.overwrite_configfiles)
    except UserError as error:
        raise WorkflowError(f"config: {error}")


def checked(given):
    """The configuration, checked; a mistake stops before any job."""
    try:
        check_schema(given.config, ROOT / "workflow/schemas/config.schema.yaml")
        config = sweeps.joined(given.config, given.left_out)
        check_references(config, optimizer_registry.names(), ROOT / "notebooks", optimizer_registry.defaults)
    except UserError as error:
        raise WorkflowError(f"config: {error}")
    return config


def stated_claims():
    """All claims, variants included; a mistake in a claim file stops before any job as well."""
    try:
        found = claim_records.read_all(ROOT / "claims")
        claim_records.check_names(found, config["experiments"], config["figures"])
        return found
    except UserError as error:
        raise WorkflowError(f"claims: {error}")


def sources(*modules):
    """Files of the package that a job running these modules depends on."""
    names = [module if module.startswith("muon_imbalance.") else f"muon_imbalance.{module}" for module in modules]
    return [str(path.relative_to(ROOT)) for path in closure(*names)]
