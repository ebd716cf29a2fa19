"""YAML read strictly: what is easily misread is refused, and every value remembers its file and line.

Refused: a key given twice, a key that is no text, an empty value (``null`` leaves something out), ``012``, ``1:30``,
``0x10`` and ``1_000``, ``yes`` and ``on``, dates, NaN and infinities, tags such as ``!!binary``, several documents in
one file, recursive aliases, deep nesting, and text that is not UTF-8. Numbers such as ``1e-8`` are numbers.
"""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from muon_imbalance.common.errors import UserError

DEEPEST = 24
MOST = 100_000
"""Levels of a file, and values in it, aliases counted as often as they are used."""
INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
FLOAT = re.compile(r"[-+]?((0|[1-9][0-9]*)(\.[0-9]*)?|\.[0-9]+)([eE][-+]?[0-9]+)?")
CONSTANTS = {"true": True, "false": False, "null": None, "~": None}
MISREAD = [
    (r"(?i)yes|no|on|off|true|false", "write true or false, or quotes for text"),
    (r"(?i)null", "write null"),
    (r"(?i)[-+]?\.(nan|inf)", "a number must be finite"),
    (r"[-+]?0[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?", "a number has no leading zeros; write quotes for text"),
    (r"(?i)[-+]?0[xob][0-9a-f_]+", "write numbers in decimals, or quotes for text"),
    (r"[-+]?[0-9][0-9_]*_[0-9_.]*", "write numbers without underscores, or quotes for text"),
    (r"[-+]?[0-9]+(:[0-9]{1,2})+(\.[0-9_]*)?", "YAML counts it in sixties; write a number, or quotes for text"),
    (r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?", "YAML reads it as a date; write quotes for text"),
]
"""Plain words that YAML, or its readers, take for something else, and what to write."""


@dataclass(frozen=True, slots=True)
class Node:
    """A value and where it stands.

    Attributes:
        value: text, number, ``True``, ``False``, ``None``, a list of nodes, or a map of names to nodes.
        file: the file as messages show it; ``line`` counts from 1 (0 where there is none).
    """

    value: Any
    file: str
    line: int = 0

    @property
    def place(self) -> str:
        """``experiments/cifar.yaml, line 41``."""
        return f"{self.file}, line {self.line}" if self.line else self.file

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {name: node.plain() for name, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    @property
    def inner(self) -> dict[str | int, "Node"]:
        """Nodes of a map by key, of a list by position."""
        if isinstance(self.value, list):
            return dict(enumerate(self.value))
        return self.value if isinstance(self.value, dict) else {}

    def within(self) -> Iterator[tuple[str, "Node"]]:
        """Dotted paths below this node, and the nodes there."""
        for name, node in self.inner.items():
            yield str(name), node
            yield from ((f"{name}.{path}", below) for path, below in node.within())

    def nearest(self, *place: str | int) -> "Node":
        """The node at keys and positions from here, or the last one on the way there."""
        node = self
        for part in place:
            if part not in node.inner:
                break
            node = node.inner[part]
        return node


def marked(value: Any, file: str) -> Node:
    """Plain values as a node that knows no line (those of a command line)."""
    if isinstance(value, dict):
        return Node({str(name): marked(inner, file) for name, inner in value.items()}, file)
    return Node([marked(inner, file) for inner in value] if isinstance(value, list | tuple) else value, file)


def read(path: Path, file: str = "", top: type = dict) -> Node:
    """What a file holds: a map, or a list if ``top`` says so (an empty file holds an empty map).

    Args:
        file: how messages call it; its path without.

    Raises:
        UserError: ``experiments/cifar.yaml, line 41: ...``, one sentence on what is wrong and what to write.
    """
    file = file or str(path)
    try:
        content = Path(path).read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise UserError(f"{file}, line {line}: this is not UTF-8; save the file as UTF-8") from None
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}") from None
    return parse(text, file, top)


def parse(text: str, file: str, top: type = dict) -> Node:
    """The same of a text; see :func:`read`."""
    try:
        return _Composer(text, file).document(top)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        words = ", ".join(filter(None, (error.context, error.problem)))
        line = text.splitlines()[mark.line : mark.line + 1]
        hint = "; there is a tab: indent with spaces" if line and "\t" in line[0][: mark.column + 1] else ""
        raise UserError(f"{file}, line {mark.line + 1}: not valid YAML: {words}{hint}") from None
    except yaml.reader.ReaderError as error:
        line = text.encode()[: error.position].count(b"\n") + 1
        raise UserError(f"{file}, line {line}: not valid YAML: {error.reason}") from None


class _Composer:
    """Nodes from the events of the parser."""

    def __init__(self, text: str, file: str):
        self.events = yaml.parse(text, yaml.CSafeLoader)
        self.file = file
        self.anchors: dict[str, tuple[Node, int] | None] = {}  # None: still open
        self.count = 0

    def refused(self, event: yaml.Event, words: str) -> UserError:
        return UserError(f"{self.file}, line {event.start_mark.line + 1}: {words}")

    def document(self, top: type) -> Node:
        root, documents = Node({}, self.file, 1), 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self.refused(event, "a second document begins; allowed: one")
                first = next(self.events)
                if isinstance(first, yaml.ScalarEvent) and not first.value and not first.tag and first.implicit[0]:
                    continue
                root = self.node(first, 1)
                if not isinstance(root.value, top):
                    raise self.refused(first, f"allowed at the top level: a {'map of keys' if top is dict else 'list'}")
        return root

    def node(self, event: yaml.Event, depth: int, line: int = 0) -> Node:
        """The node that begins with this event; ``line`` is that of its key."""
        line = line or event.start_mark.line + 1
        self.count += 1
        if isinstance(event, yaml.AliasEvent):
            return self.alias(event, line)
        if event.tag:
            raise self.refused(event, f"the tag {event.tag!r} is not allowed; write the value alone")
        if depth > DEEPEST:
            raise self.refused(event, f"nested more than {DEEPEST} levels deep")
        anchor, before = event.anchor, self.count
        if anchor:
            self.anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value = self.scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = []
            while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
                value.append(self.node(event, depth + 1))
        else:
            value = self.map(depth)
        node = Node(value, self.file, line)
        if anchor:
            self.anchors[anchor] = node, self.count - before
        return node

    def alias(self, event: yaml.AliasEvent, line: int) -> Node:
        if event.anchor not in self.anchors:
            raise self.refused(event, f"the alias *{event.anchor} has no anchor before it")
        if self.anchors[event.anchor] is None:
            raise self.refused(event, f"the alias *{event.anchor} lies within what it repeats")
        node, size = self.anchors[event.anchor]
        self.count += size
        if self.count > MOST:
            raise self.refused(event, f"more than {MOST:,} values, aliases repeated")
        return Node(node.value, node.file, node.line)

    def map(self, depth: int) -> dict[str, Node]:
        found, lines, merged = {}, {}, {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self.key(event)
            if key in lines:
                raise self.refused(event, f"the key {key!r} is given twice (first in line {lines[key]})")
            lines[key] = event.start_mark.line + 1
            value = next(self.events)
            if key == "<<" and event.implicit[0]:
                merged = self.merged(self.node(value, depth + 1), value)
            else:
                found[key] = self.node(value, depth + 1, lines[key])
        return merged | found

    def merged(self, node: Node, event: yaml.Event) -> dict[str, Node]:
        """Maps that ``<<`` names, the first one on top."""
        maps = node.value if isinstance(node.value, list) else [node]
        if not all(isinstance(one.value, dict) for one in maps):
            raise self.refused(event, "'<<' takes a map or a list of maps")
        return {name: inner for one in reversed(maps) for name, inner in one.value.items()}

    def key(self, event: yaml.Event) -> str:
        """A key: text in one line."""
        if not isinstance(event, yaml.ScalarEvent) or event.tag or event.anchor:
            raise self.refused(event, "a key must be text, without tag, anchor or alias")
        if event.implicit[0] and not event.value:
            raise self.refused(event, "a key is missing")
        if event.implicit[0] and event.value != "<<" and not isinstance(self.scalar(event), str):
            raise self.refused(event, f"the key {event.value} is no text; write it in quotes")
        if not event.value.isprintable():
            raise self.refused(event, f"the key {event.value!r} holds a line break or a control character")
        return event.value

    def scalar(self, event: yaml.ScalarEvent) -> Any:
        word = event.value
        if not event.implicit[0]:  # in quotes, or a block of text
            return word
        if word in CONSTANTS:
            return CONSTANTS[word]
        if not word:
            raise self.refused(event, "a value is missing; write null to leave something out")
        if FLOAT.fullmatch(word):
            if not math.isfinite(value := float(word)):
                raise self.refused(event, f"{word[:20]}... is too large for a number")
            return int(word) if INTEGER.fullmatch(word) else value
        for pattern, hint in MISREAD:
            if re.fullmatch(pattern, word):
                raise self.refused(event, f"{word} is not allowed: {hint}")
        return word
