"""An entry of the settings: a data set, an experiment, a figure, an experiment of the report card, an optimizer.

It stands in one file with the values of all scales side by side. Beside its own keys it may have

- ``scales: {smoke: {...}, paper: {...}}``: what differs there; the entry's own keys are the laptop scale's. An entry
  with nothing but ``scales`` exists at those scales alone;
- ``like: NAME``: it starts as a copy of another entry of its kind, the scales included, and its own keys are laid over
  (null drops a key at every scale). An entry whose name begins with ``_`` is only there for others to start from;
- ``origin: {epochs: chosen, seeds: {paper: paper, smoke: chosen}}``: whether a value, by its dotted path in the entry,
  is the paper's, that of the work the paper builds on (source), or was chosen here; at all scales or by scale;
- ``variants: {product: [{a: {...}, b: {...}}, {"1": {...}, "2": {...}}]}``: variants ``a_1, a_2, b_1, b_2`` (an empty
  name is left out), each with the settings of all its parts; further keys beside ``product`` change single variants.
  Variants that the entry has from another one are gone then.

Maps are merged, everything else is replaced, and null leaves something out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from itertools import product

from muon_imbalance.common.errors import UserError
from muon_imbalance.common.yaml_files import Node
from muon_imbalance.plan.trees import below, dropped, map_of, overlaid, there

SCALES = ("smoke", "laptop", "reference", "paper")
"""All scales; an entry's own keys are those of ``laptop``."""
ORIGINS = ("paper", "source", "chosen")


@dataclass(frozen=True)
class Entry:
    """An entry apart: its own keys, what differs by scale, and origins by dotted path."""

    own: Node
    scales: dict[str, Node]
    origins: dict[str, Node]

    def exists(self, scale: str) -> bool:
        """False for an entry that says something of other scales only."""
        return bool(self.own.value) or not self.scales or scale in self.scales

    def at(self, scale: str) -> Node:
        """The entry at a scale."""
        return overlaid(self.own, self.scales[scale]) if scale in self.scales else self.own

    def origins_at(self, scale: str, where: str) -> dict[str, str]:
        """Origins at a scale, of settings that exist there; where nothing is said of ``reference``, laptop's."""
        found, entry = {}, self.at(scale)
        for path, node in self.origins.items():
            said = node.value
            if not isinstance(said, str):
                said = getattr(said.get(scale) or (said.get("laptop") if scale == "reference" else None), "value", None)
            if said and there(entry, path):
                found[f"{where}.{path}"] = said
        return found


def apart(node: Node, where: str) -> Entry:
    """An entry's parts, products of variants written out.

    Raises:
        UserError: an unknown scale or origin, or an origin of something that is not set.
    """
    inner = map_of(node, where)
    own = Node({k: v for k, v in inner.items() if k not in ("like", "scales", "origin")}, node.file, node.line)
    others = map_of(inner.get("scales"), f"{where}.scales")
    for name, changes in others.items():
        if name not in (allowed := [scale for scale in SCALES if scale != "laptop"]):
            words = f"{', '.join(allowed)} (laptop's beside)"
            raise UserError(f"{changes.place}: {where}.scales.{name} is not allowed; allowed: {words}")
        map_of(changes, f"{where}.scales.{name}")
    origins = map_of(inner.get("origin"), f"{where}.origin")
    for path, origin in origins.items():
        place = f"{where}.origin.{path}"
        by_scale = {} if isinstance(origin.value, str) else map_of(origin, place)
        for word in by_scale.values() or [origin]:
            if word.value not in ORIGINS:
                allowed = f"{', '.join(ORIGINS)}, or one of them for each scale"
                raise UserError(f"{word.place}: {place} = {word.plain()!r}; allowed: {allowed}")
        if unknown := sorted(set(by_scale) - set(SCALES)):
            raise UserError(f"{origin.place}: {place}: {unknown[0]!r} is no scale; allowed: {', '.join(SCALES)}")
    return Entry(_written_out(own, where), {name: _written_out(one, where) for name, one in others.items()}, origins)


def resolved(kind: str, name: str, named: Mapping[str, Node], trail: tuple[str, ...] = ()) -> Entry:
    """A family's entry, with what it takes from the one that it is like.

    Raises:
        UserError: there is no such entry, or it leads back to this one.
    """
    where = f"{kind}.{name}"
    entry = apart(named[name], where)
    inner = named[name].value
    if "like" in inner:
        other = inner["like"].value
        check_like(inner["like"], where, [one for one in named if one not in (name, *trail)])
        base = resolved(kind, other, named, (*trail, name))
        gone = Node(entry.own.value | anew(named[name]), "")
        scales = {one: dropped(node, gone) for one, node in base.scales.items()}
        scales |= {one: overlaid(scales.get(one), node) for one, node in entry.scales.items()}
        given = [path for node in (entry.own, *entry.scales.values()) for path, _ in node.within()]
        inherited = {path: origin for path, origin in base.origins.items() if path not in given}
        own = overlaid(Node(dropped(base.own, gone).value, named[name].file, named[name].line), entry.own)
        entry = Entry(own, scales, inherited | entry.origins)
    check_origins(entry, where, map_of(inner.get("origin"), where))
    return entry


def check_origins(entry: Entry, where: str, origins: Mapping[str, Node]) -> None:
    """Refuse origins of what is not set: at any scale, or at one that is named."""
    for path, origin in origins.items():
        made = [scale for scale in SCALES if there(entry.at(scale), path)]
        named = [] if isinstance(origin.value, str) else [scale for scale in origin.value if scale not in made]
        if named or not made:
            here = f" at scale {named[0]}" if made else ""
            raise UserError(f"{origin.place}: {where}.origin: {path!r} leads to no setting{here}")


def check_like(like: Node, where: str, known: Sequence[str]) -> None:
    """Refuse to start from an entry that is not there."""
    if like.value not in known:
        raise UserError(f"{like.place}: {where}.like = {like.plain()!r}; allowed: {', '.join(sorted(known))}")


def anew(entry: Node) -> dict[str, Node]:
    """``{variants: null}`` for an entry whose variants are a product, which takes none over from another entry."""
    return {"variants": Node(None, "")} if below(entry, "variants.product") else {}


def _written_out(entry: Node, where: str) -> Node:
    """An entry whose ``variants`` are written out where they are a product."""
    variants = entry.value.get("variants")
    factors = variants.value.get("product") if variants and isinstance(variants.value, dict) else None
    if factors is None:
        return entry
    where = f"{where}.variants.product"
    if not isinstance(factors.value, list) or not all(isinstance(one.value, dict) for one in factors.value):
        raise UserError(f"{factors.place}: {where} must be a list of maps, each from names to settings")
    found: dict[str, Node] = {}
    for parts in product(*(factor.value.items() for factor in factors.value)):
        name = "_".join(filter(None, (one for one, _ in parts)))
        nodes = [node for _, node in parts]
        for node in nodes:
            map_of(node, where)
        if name in found or not name:
            raise UserError(f"{factors.place}: {where} gives the name {name!r} twice, or an empty one")
        found[name] = reduce(overlaid, nodes[1:], nodes[0])
    single = replace(variants, value={k: v for k, v in variants.value.items() if k != "product"})
    for name, node in single.value.items():
        if name not in found:
            raise UserError(f"{node.place}: {where} gives no variant {name!r}; allowed: {', '.join(found)}")
    whole = overlaid(replace(variants, value=found), single)
    return replace(entry, value=entry.value | {"variants": whole})
