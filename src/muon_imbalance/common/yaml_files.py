"""YAML files with the lines their values stand on; a key given twice is an error (PyYAML would keep the last one)."""

from pathlib import Path

import yaml

from muon_imbalance.common.errors import UserError

Place = tuple[str | int, ...]  # keys and positions from the top of a file


class _StrictLoader(yaml.CSafeLoader):
    """Refuses repeated keys."""


def _mapping(loader: _StrictLoader, node: yaml.MappingNode) -> dict:
    keys = [loader.construct_object(key) for key, _ in node.value]
    if repeated := sorted({str(key) for key in keys if keys.count(key) > 1}):
        last = next(key for key, _ in reversed(node.value) if str(loader.construct_object(key)) in repeated)
        raise yaml.constructor.ConstructorError(None, None, f"repeated keys {repeated}", last.start_mark)
    return loader.construct_mapping(node, deep=True)


_StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def read(path: Path) -> tuple[object, dict[Place, int]]:
    """Content of a file, and the line (from 1) of every value by its place.

    Raises:
        UserError: it cannot be read, is no YAML, or holds a key twice; the message names file and line.
    """
    try:
        loader = _StrictLoader(path.read_text(encoding="utf-8"))
        node = loader.get_single_node()
        content, lines = (None, {}) if node is None else (loader.construct_document(node), dict(_lines(node, ())))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = f", line {mark.line + 1}" if mark else ""
        raise UserError(f"{path}{line}: {error.problem or error.context}") from None
    except (yaml.YAMLError, OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read: {' '.join(str(error).split())}") from None
    return content, lines


def line(lines: dict[Place, int], place: Place) -> int:
    """Line of a place, or of the nearest one above it that the file has."""
    while place and place not in lines:
        place = place[:-1]
    return lines.get(place, 1)


def _lines(node: yaml.Node, place: Place):
    yield place, node.start_mark.line + 1
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            yield from ((where, at if where[len(place) + 1 :] else key.start_mark.line + 1)
                        for where, at in _lines(value, (*place, key.value)))  # fmt: skip
    elif isinstance(node, yaml.SequenceNode):
        for number, one in enumerate(node.value):
            yield from _lines(one, (*place, number))
