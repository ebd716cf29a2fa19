"""Settings of a whole run: ``config.yaml``, the families in ``experiments/``, and what a user lays over them.

Each entry stands in one file with the values of all scales side by side (see :mod:`muon_imbalance.plan.entries`).
``config.yaml`` and a user's files may hold entries as well: they are laid over those of the families.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.yaml_files import Node, marked, read
from muon_imbalance.plan.entries import SCALES, Entry, anew, apart, check_like, check_origins, resolved
from muon_imbalance.plan.trees import below, dropped, map_of, overlaid, replaced

KINDS = ("datasets", "experiments", "figures", "card.experiments", "optimizers")
KEPT_NULLS = ("data_dir",)


def nearest(said: Mapping[str, str], path: str) -> str:
    """What is said of a dotted path, or of the nearest one above it ("" without one)."""
    while path not in said and "." in path:
        path = path.rpartition(".")[0]
    return said.get(path, "")


@dataclass(frozen=True)
class Places:
    """Where each setting is written, by dotted path."""

    lines: Mapping[str, str]

    def of(self, path: str) -> str:
        """``experiments/cifar.yaml, line 41``: of the setting, or of the nearest one above it ("" without one)."""
        return nearest(self.lines, path)


@dataclass(frozen=True)
class Loaded:
    """The settings at one scale.

    Attributes:
        config: top-level keys, ``datasets``, ``optimizers``, ``experiments``, ``figures`` and ``card``, without nulls.
        places: where each of them is written.
        origins: ``paper``, ``source`` or ``chosen`` by dotted path, such as ``experiments.organisms.steps``; it holds
            for what lies below as well, where nothing else is said there.
        left_out: dotted paths that were set to null (an experiment keeps an optimizer out of its sweep that way).
    """

    config: dict[str, Any]
    places: Places
    origins: dict[str, str]
    left_out: frozenset[str]

    def origin(self, path: str) -> str:
        """Origin of a setting, or of the nearest one above it ("" where nothing is said)."""
        return nearest(self.origins, path)


def load(root: Path, overrides: Mapping[str, Any] | None = None, files: Sequence[Path] = ()) -> Loaded:
    """All settings at the scale that is asked for.

    Args:
        root: folder of ``config.yaml`` and ``experiments/``.
        overrides: settings of the command line (``--config``); laid over last.
        files: a user's own files (``--configfile``), laid over the project's.

    Raises:
        UserError: one sentence with file and line.
    """
    layers = [read(file, _shown(file, root)) for file in (root / "config.yaml", *map(Path, files))]
    layers.append(marked(dict(overrides or {}), "the command line"))
    scale = _scale(layers)
    entries = _declared(root)
    tree, origins = Node({}, "config.yaml"), {}
    for kind, named in entries.items():
        whole = {name: resolved(kind, name, named) for name in named}
        settled = {name: one.at(scale) for name, one in whole.items() if one.exists(scale)}
        for name, one in whole.items():
            origins |= one.origins_at(scale, f"{kind}.{name}")
        tree = replaced(tree, kind, Node(settled, "config.yaml"))
    for layer in layers:
        tree = _laid(tree, layer, scale, origins)
    return _loaded(_ordered(tree, scale), origins)


def _shown(file: Path, root: Path) -> str:
    """A user's file as messages call it."""
    file, root = file.resolve(), root.resolve()
    return str(file.relative_to(root)) if file.is_relative_to(root) else str(file)


def _scale(layers: list[Node]) -> str:
    """The scale that the last layer with one names."""
    for layer in reversed(layers):
        if (chosen := layer.value.get("scale")) is None:
            continue
        if chosen.value not in SCALES:
            raise UserError(f"{chosen.place}: scale: {chosen.plain()!r} is not allowed; allowed: {', '.join(SCALES)}")
        return chosen.value
    raise UserError(f"config.yaml: key 'scale' is missing; allowed: {', '.join(SCALES)}")


def _declared(root: Path) -> dict[str, dict[str, Node]]:
    """Entries of all families, by kind and name; what families share comes first."""
    entries: dict[str, dict[str, Node]] = {kind: {} for kind in KINDS if kind != "optimizers"}
    files = sorted((root / "experiments").glob("*.yaml"), key=lambda path: (path.stem != "shared", path.name))
    for path in files:
        family = read(path, f"experiments/{path.name}")
        allowed = [kind.partition(".")[0] for kind in entries]
        for key, node in family.value.items():
            if key not in allowed:
                raise UserError(f"{node.place}: unknown key {key!r}; allowed: {', '.join(allowed)}")
        for key, node in map_of(family.value.get("card"), "card").items():
            if key != "experiments":
                raise UserError(f"{node.place}: unknown key 'card.{key}'; allowed: experiments")
        for kind, named in entries.items():
            for name, entry in map_of(below(family, kind), kind).items():
                if name in named:
                    raise UserError(f"{entry.place}: {kind}.{name} is already in {named[name].place}")
                named[name] = entry
    return entries


def _kinds(tree: Node) -> list[tuple[str, Node]]:
    """Kinds of entries that a tree holds, and the maps of their names."""
    return [(kind, found) for kind in KINDS if (found := below(tree, kind)) and isinstance(found.value, dict)]


def _laid(tree: Node, layer: Node, scale: str, origins: dict[str, str]) -> Node:
    """The settings with a file's, or the command line's, laid over, at a scale."""
    for key in ("like", "origin"):
        if key in layer.value:
            raise UserError(f"{layer.value[key].place}: unknown key {key!r}; allowed: within an entry")
    over = apart(layer, "config").at(scale)
    for kind, found in _kinds(over):
        before, laid = dict(map_of(below(tree, kind), kind)), {}
        for name, node in found.value.items():
            where, laid[name] = f"{kind}.{name}", node
            if not isinstance(node.value, dict):
                continue
            entry = apart(node, where)
            if like := node.value.get("like"):
                if name in before:
                    raise UserError(f"{like.place}: {where}.like: {name!r} is there already; it is for new ones")
                check_like(like, where, [*before])
                before[name] = before[like.value]
            if name in before and (gone := anew(node)):
                before[name] = dropped(before[name], Node(gone, ""))
            for path, _ in entry.at(scale).within():  # nothing is known of a value laid over another
                origins.pop(f"{where}.{path}", None)
            whole = Entry(overlaid(before.get(name), entry.own), entry.scales, entry.origins)
            check_origins(whole, where, entry.origins)
            before[name] = laid[name] = whole.at(scale)
            origins |= whole.origins_at(scale, where)
        over = replaced(over, kind, replace(found, value=laid))
        if below(tree, kind) is not None:
            tree = replaced(tree, kind, Node(before, tree.file))
    return overlaid(tree, over)


def _ordered(tree: Node, scale: str) -> Node:
    """The tree with figures in the order of their names, and the report card's experiments in the order asked for."""
    tree = replaced(tree, "scale", replace(tree.value["scale"], value=scale))
    for kind, found in _kinds(tree):
        inner = {name: node for name, node in found.value.items() if not name.startswith("_")}
        if kind == "figures":
            inner = dict(sorted(inner.items()))
        elif kind == "card.experiments" and (order := below(tree, "card.order")):
            named = order.plain() or []
            wrong = [name for name in named if name not in list(inner)] if isinstance(named, list) else [named]
            if wrong:
                raise UserError(f"{order.place}: card.order = {wrong[0]!r}; allowed: a list of {', '.join(inner)}")
            inner = {name: inner[name] for name in [*named, *inner]}
        tree = replaced(tree, kind, replace(found, value=inner))
    return dropped(tree, marked({"card": {"order": None}}, ""))


def _loaded(tree: Node, origins: dict[str, str]) -> Loaded:
    """Plain settings and their places; what is null is noted and left out."""
    nodes = dict(tree.within())
    config = tree.plain()
    config = {key: None for key in KEPT_NULLS if key in config} | _without_nulls(config)
    left_out = frozenset(path for path, node in nodes.items() if node.value is None and path not in KEPT_NULLS)
    found = {path: word for path, word in origins.items() if path in nodes}
    return Loaded(config, Places({path: node.place for path, node in nodes.items()}), found, left_out)


def _without_nulls(value: Any) -> Any:
    """A plain value without keys that are null."""
    if isinstance(value, list):
        return [_without_nulls(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    return {name: _without_nulls(inner) for name, inner in value.items() if inner is not None}
