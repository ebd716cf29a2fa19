"""Run a figure notebook with papermill: strict about its parameters, always with this interpreter.

Papermill alone only warns of unknown parameters, takes the kernel its author happened to use, and opens network ports.
"""

import logging
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import nbformat
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from nbclient.exceptions import DeadKernelError
from traitlets import default

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.settings import checked
from muon_imbalance.reporting.notebooks import notebook_file
from muon_imbalance.reporting.notebooks.light_papermill import papermill

_SOURCE_ROOT = Path(__file__).resolve().parents[3]
_LONGEST_SOCKET_PATH = 90
_TRACEBACK_LINES = 15


class _LocalKernel(AsyncKernelManager):
    """A kernel of this very interpreter, reached through socket files in a private folder instead of TCP ports."""

    @default("connection_file")
    def _private_connection_file(self) -> str:
        return os.path.join(os.environ["JUPYTER_RUNTIME_DIR"], "kernel.json")

    @default("transport")
    def _sockets_where_possible(self) -> str:
        fits = len(os.environ["JUPYTER_RUNTIME_DIR"]) <= _LONGEST_SOCKET_PATH
        return "ipc" if os.name == "posix" and fits else "tcp"

    @property
    def kernel_spec(self) -> KernelSpec:
        return KernelSpec(resource_dir="", **get_kernel_dict())


@contextmanager
def _environment() -> Iterator[None]:
    """Environment of the kernel: no display, no start-up files or settings of the user, sources on the path.

    Matplotlib keeps its list of fonts in the user's cache, where it belongs: making it takes half a second.
    """
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="nb-", ignore_cleanup_errors=True) as folder:
        settings = {
            "MPLBACKEND": "Agg",
            "XDG_CONFIG_HOME": f"{folder}/config",
            "IPYTHONDIR": f"{folder}/ipython",
            "JUPYTER_RUNTIME_DIR": f"{folder}/run",
            "JUPYTER_CONFIG_DIR": f"{folder}/jupyter",
            "PYTHONHASHSEED": "0",
            "PYTHONPATH": os.pathsep.join(filter(None, [str(_SOURCE_ROOT), before.get("PYTHONPATH")])),
        }
        for name in ("config", "ipython", "run", "jupyter"):
            Path(folder, name).mkdir(mode=0o700)
        os.environ.update(settings)
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def check_parameters(path: str | Path, notebook: dict, given: Mapping[str, object]) -> None:
    """What the workflow fills in must be given; the others have defaults and may be set within their limits.

    Raises:
        UserError: a parameter is unknown or missing, or a value is not allowed.
    """
    known = notebook_file.parameters(notebook, path)
    unknown, missing = sorted(set(given) - set(known)), sorted((set(known) & notebook_file.FILLED_IN) - set(given))
    if unknown:
        raise UserError(f"notebook {path} has no parameter {', '.join(unknown)}; it has {', '.join(sorted(known))}")
    if missing:
        raise UserError(f"notebook {path} needs the parameter {', '.join(missing)}, which was not given")
    own = {name: value for name, value in given.items() if name not in notebook_file.FILLED_IN}
    checked(notebook_file.options(path), own, f"notebook {path}: parameters")


def _prepare(notebook: dict) -> nbformat.NotebookNode:
    """The notebook as papermill wants it: no old results, kernel ``python3``, a fixed id for each cell."""
    node = nbformat.from_dict(notebook)
    node.nbformat_minor = 5
    node.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for number, cell in enumerate(node.cells):
        cell.setdefault("id", f"cell-{number}")
        cell.metadata.pop("papermill", None)
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return node


def _plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*[A-Za-z]", "", text)


def execute(
    path: str | Path, parameters: Mapping[str, object], log: str | Path, cwd: str | Path = "."
) -> nbformat.NotebookNode:
    """Run the notebook ``path`` in the folder ``cwd`` and return it with its outputs (not yet scrubbed).

    While it runs, the notebook is kept at ``log``; there it stays, with the error, when a cell fails (the
    cell and the end of the traceback go to stderr). When all cells succeed it is removed from there.

    Raises:
        UserError: a parameter is unknown or missing, a cell fails, or the kernel dies.
    """
    source = notebook_file.read(path)
    check_parameters(path, source, parameters)
    log = Path(log)
    log.parent.mkdir(parents=True, exist_ok=True)
    logging.getLogger("papermill").setLevel(logging.ERROR)
    try:
        with _environment():
            node = papermill.execute_notebook(
                _prepare(source),
                str(log),
                parameters=dict(parameters),
                kernel_name=notebook_file.KERNEL,
                kernel_manager_class=_LocalKernel,
                record_timing=False,
                progress_bar=False,
                cwd=str(cwd),
            )
    except papermill.PapermillExecutionError as error:
        tail = "\n".join(_plain("\n".join(error.traceback)).splitlines()[-_TRACEBACK_LINES:])
        print(f"--- failing cell of {path}\n{error.source}\n--- end of the traceback\n{tail}", file=sys.stderr)
        reason = _plain(f"{error.ename}: {error.evalue}").strip().splitlines()[0]
        raise UserError(f"notebook {path} failed in cell {error.exec_count}: {reason} (kept: {log})") from None
    except (DeadKernelError, RuntimeError) as error:
        raise UserError(f"the kernel that ran notebook {path} died: {error} (kept: {log})") from None
    log.unlink(missing_ok=True)
    return node
