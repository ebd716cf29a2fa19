"""Stage: run one figure, table or card notebook and publish its files.

``python -m muon_imbalance.stages.render --id fig_04 --notebook notebooks/fig_04_linear_cross_entropy.ipynb
--parameters JSON --provenance JSON --figures-dir DIR --executed FILE.ipynb --log-notebook FILE.ipynb``

The notebook's stem names everything: ``<stem>.pdf .png .csv`` for figures, ``<stem>.csv .html`` for tables,
which the notebook writes into ``output_dir``; the stage adds ``<stem>.json`` and the executed notebook and
publishes all of them together or none. Besides ``--parameters`` the notebook gets ``output_dir``, ``title``,
``data_label`` and ``scale``.
"""

import argparse
import logging
import time
from functools import partial
from pathlib import Path

import nbformat

from muon_imbalance.common.arguments import as_json
from muon_imbalance.common.errors import UserError, run_stage
from muon_imbalance.common.files import write_json, write_text
from muon_imbalance.common.progress import start_logging
from muon_imbalance.common.settings import checked
from muon_imbalance.reporting import provenance, publish_files
from muon_imbalance.reporting.notebooks import runner, scrub

SUFFIXES = {"fig": ("pdf", "png", "csv"), "tab": ("csv", "html"), "card": ("pdf", "png", "csv")}
"""What a notebook writes, by the first part of its id."""
log = logging.getLogger("muon_imbalance")


def suffixes(identifier: str, source: Path) -> tuple[str, ...]:
    """Suffixes that a notebook must write.

    Raises:
        UserError: the id is no figure's, table's or card's, or the notebook is not named after it.
    """
    kind = identifier.partition("_")[0]
    if kind not in SUFFIXES:
        raise UserError(f"--id {identifier}: an id begins with fig_ or tab_, or is card")
    if not source.stem.startswith(f"{identifier}_"):
        raise UserError(f"--notebook {source}: for --id {identifier} its name must be {identifier}_<slug>.ipynb")
    return SUFFIXES[kind]


def render(
    identifier: str,
    source: Path,
    parameters: dict,
    spec: dict,
    figures_dir: Path,
    executed: Path,
    log_notebook: Path,
    page: Path | None = None,
) -> list[Path]:
    """Run the notebook in the current folder (the project's root) and return the published files.

    ``page``: where the executed notebook goes as an HTML page as well.

    Raises:
        UserError: see the modules of :mod:`muon_imbalance.reporting`; no file is published then.
    """
    wanted = {f"{source.stem}.{suffix}" for suffix in suffixes(identifier, source)}
    described = checked(provenance.Spec, spec, "--provenance")
    data = provenance.read_manifests(described.data)
    record = provenance.sidecar(identifier, source, described, data)
    own = {"title": record["title"], "data_label": provenance.data_label(data), "scale": record["scale"]}
    taken = sorted(set(parameters) & {*own, "output_dir"})
    if taken:
        raise UserError(f"--parameters: {', '.join(taken)} is set by the runner and cannot be given")
    with publish_files.workshop(figures_dir, source.stem) as folder:
        files = folder / "files"
        files.mkdir()
        node = runner.execute(source, {**parameters, **own, "output_dir": files.as_posix()}, log_notebook)
        publish_files.check(files, wanted, f"notebook {source}")
        write_json(folder / "sidecar.json", record, ensure_ascii=False)
        nbformat.write(scrub.scrub(node, Path.cwd()), folder / "executed.ipynb")
        moves = {files / name: figures_dir / name for name in sorted(wanted)}
        moves[folder / "sidecar.json"] = figures_dir / f"{source.stem}.json"
        moves[folder / "executed.ipynb"] = executed
        if page is not None:
            from muon_imbalance.reporting.site import pages

            html = pages.page(
                nbformat.read(folder / "executed.ipynb", as_version=4),
                title=record["title"],
                scale=record["scale"],
                back=None,
                download=pages.relative(executed, page),
                name=f"the page {page}",
                code=False,
            )
            write_text(folder / "page.html", html)
            moves[folder / "page.html"] = page
        publish_files.promote(moves)
    return list(moves.values())


def main() -> None:
    """Read the command line and render."""
    parser = argparse.ArgumentParser(description="Render one figure or table.")
    add, spec = partial(parser.add_argument, required=True), ", ".join(provenance.Spec.model_fields)
    add("--id", dest="identifier", help="fig_XX or tab_X")
    add("--notebook", dest="source", type=Path, help="notebooks/<id>_<slug>.ipynb")
    add("--parameters", type=as_json("--parameters"), help="JSON object, or @file: runs, theory, ...")
    add("--provenance", dest="spec", type=as_json("--provenance"), help=f"JSON object, or @file: {spec}")
    add("--figures-dir", type=Path, help="where the figure's files go")
    add("--executed", type=Path, help="where the executed notebook goes")
    add("--log-notebook", type=Path, help="where it is kept when a cell fails")
    add("--page", type=Path, required=False, help="where it goes as an HTML page (default: nowhere)")
    options = parser.parse_args()
    start_logging()
    began = time.monotonic()
    names = ", ".join(path.name for path in render(**vars(options)))
    log.info(f"{options.identifier}: wrote {names} in {time.monotonic() - began:.1f} s")


if __name__ == "__main__":
    run_stage(main)
