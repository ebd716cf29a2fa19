"""Trees of settings: maps laid over maps, and nodes at dotted paths."""

from dataclasses import replace

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.yaml_files import Node


def overlaid(base: Node | None, over: Node) -> Node:
    """``base`` with ``over`` laid over it: maps are merged, anything else is replaced."""
    if base is None or not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return over
    merged = {name: overlaid(base.value.get(name), node) for name, node in over.value.items()}
    return replace(base, value=base.value | merged)


def dropped(base: Node, over: Node) -> Node:
    """``base`` without what ``over`` sets to null."""
    if not isinstance(base.value, dict) or not isinstance(over.value, dict):
        return base
    kept = {
        name: dropped(node, over.value[name]) if name in over.value else node
        for name, node in base.value.items()
        if name not in over.value or over.value[name].value is not None
    }
    return replace(base, value=kept)


def map_of(node: Node | None, where: str) -> dict[str, Node]:
    """The map that a node holds (an empty one where there is no node)."""
    if node is None:
        return {}
    if not isinstance(node.value, dict):
        raise UserError(f"{node.place}: {where} = {node.plain()!r}; allowed: a map of names")
    return node.value


def below(node: Node, path: str) -> Node | None:
    """The node at a dotted path, or ``None``."""
    for part in path.split("."):
        if node is None or not isinstance(node.value, dict):
            return None
        node = node.value.get(part)
    return node


def there(entry: Node, path: str) -> bool:
    """Whether a setting is made at a dotted path."""
    found = below(entry, path)
    return found is not None and found.value is not None


def replaced(tree: Node, path: str, node: Node) -> Node:
    """A tree with a node put at a dotted path."""
    first, _, rest = path.partition(".")
    inner = replaced(tree.value.get(first, Node({}, tree.file)), rest, node) if rest else node
    return replace(tree, value=tree.value | {first: inner})
