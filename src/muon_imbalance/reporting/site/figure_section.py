"""One figure or table as the report shows it: picture, data, seeds, links."""

import base64
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.files import read_json
from muon_imbalance.reporting import provenance
from muon_imbalance.reporting.site import pages, tables

LINKS = {
    ".pdf": "PDF",
    ".png": "PNG",
    ".html": "table (.html)",
    ".csv": "numbers (.csv)",
    ".json": "provenance (.json)",
}
"""Files of a figure that the report links to, and what it calls them."""


def name(identifier: str) -> str:
    """``fig_04`` is Figure 4, ``fig_s1`` Figure S1, ``tab_1`` Table 1."""
    kind, _, number = identifier.partition("_")
    return f"{'Table' if kind == 'tab' else 'Figure'} {number.lstrip('0').upper() or '0'}"


def read_sidecar(path: str | Path, scale: str) -> dict:
    """The json file beside a figure.

    Raises:
        UserError: it does not exist, lacks a key, or belongs to another scale.
    """
    record = read_json(_file(Path(path)), hint="render the figure again")
    missing = [key for key in provenance.KEYS if key not in record]
    if missing:
        raise UserError(f"figure file {path} lacks {', '.join(missing)}")
    if record["scale"] != scale:
        raise UserError(f"figure file {path} was made at scale {record['scale']!r}, the report is for {scale!r}")
    return record


def _file(path: Path) -> Path:
    if not path.is_file():
        raise UserError(f"figure file {path} does not exist; render the figure first")
    return path


def picture(path: Path) -> dict:
    """A PNG as base64 with its size in pixels.

    Raises:
        UserError: it does not exist or is no PNG.
    """
    content = _file(path).read_bytes()
    if content[:8] != b"\x89PNG\r\n\x1a\n":
        raise UserError(f"figure file {path} is not a PNG picture")
    width, height = struct.unpack(">II", content[16:24])
    return {"base64": base64.b64encode(content).decode(), "width": width, "height": height}


def _words(value) -> str:
    """Seeds or experiments in words: ``0, 1, 2`` or ``colored_mnist: 0, 1, 2; linear: 0``."""
    if isinstance(value, Mapping):
        return "; ".join(f"{key}: {_words(part)}" for key, part in value.items()) or "none"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(str(part) for part in value) or "none"
    return str(value)


def _origins(origins: Mapping[str, str]) -> str:
    """Settings by where their values come from: ``paper: batch, lr; chosen: steps``."""
    by_origin = {kind: [name for name, origin in origins.items() if origin == kind] for kind in provenance.ORIGINS}
    return "; ".join(f"{kind}: {', '.join(names)}" for kind, names in by_origin.items() if names)


def figure(entry: Mapping, scale: str, output: Path, notebook_page: Path) -> dict:
    """All that the template needs to show one figure or table.

    Args:
        entry: paths ``files`` (all of the figure's, with its json), ``executed`` (the notebook) and ``log``
            (linked if it is there).
        scale: scale of the report.
        output: path of the report.
        notebook_page: path of the executed notebook's page.

    Raises:
        UserError: a file is missing or broken.
    """
    files = {Path(path).suffix: _file(Path(path)) for path in entry["files"]}
    is_table = ".html" in files
    missing = {".json", ".csv", *(() if is_table else (".pdf", ".png"))} - set(files)
    if missing:
        raise UserError(f"--figures: no {', '.join(sorted(missing))} among {', '.join(entry['files'])}")
    record = read_sidecar(files[".json"], scale)
    links = [("notebook, as run", notebook_page)]
    links += [(label, files[suffix]) for suffix, label in LINKS.items() if suffix in files]
    links.append(("notebook (.ipynb)", Path(entry["executed"])))
    if Path(entry["log"]).is_file():
        links.append(("log", Path(entry["log"])))
    page = files[".html"].read_text(encoding="utf-8") if is_table else ""
    return {
        **record,
        "name": name(record["id"]),
        "stem": files[".csv"].stem,
        "table": tables.extract(page, str(files[".html"])) if is_table else None,
        "picture": None if is_table else picture(files[".png"]),
        "data_label": provenance.data_label(record["data"]),
        "experiments": _words(record["experiments"]),
        "seeds": _words(record["seeds"]),
        "origins": _origins(record.get("origins", {})),
        "named_claims": record["claims"],
        "introduction": pages.introduction(pages.read_notebook(entry["executed"])),
        "links": [{"label": label, "href": pages.relative(path, output)} for label, path in links],
    }
