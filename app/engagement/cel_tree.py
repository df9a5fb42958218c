"""The syntax tree of a checked CEL expression, read from what the library serializes.

The library shows no tree, but its serialized form is a published message (`cel.expr.CheckedExpr`);
a few of its fields are read here, by the wire format of Protocol Buffers.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

_EXPRESSION, _SOURCE_INFO = 4, 5
_KINDS = range(3, 10)
_POSITIONS = 4
_NULL_CONSTANT, _STRING_CONSTANT = 1, 6

Message = Mapping[int, list[Any]]


class Node(Struct, frozen=True):
    """A part of an expression."""

    offset: int
    """Where it stands: code points before it; -1 when not known."""

    @property
    def children(self) -> tuple["Node", ...]:
        """The parts of it."""
        return ()


class Constant(Node, frozen=True):
    """A literal."""

    text: str | None
    """Of a string literal."""
    is_null: bool = False


class Ident(Node, frozen=True):
    """A variable by its whole name, such as ``event.data``, or one of a comprehension."""

    name: str


class Select(Node, frozen=True):
    """A field of something; or whether there is one."""

    operand: Node
    field: str
    is_test: bool

    @property
    def children(self) -> tuple[Node, ...]:
        """What the field is of."""
        return (self.operand,)


class Call(Node, frozen=True):
    """A function or an operator, such as ``_==_``."""

    function: str
    arguments: tuple[Node, ...]
    """With what a method is called on as the first."""

    @property
    def children(self) -> tuple[Node, ...]:
        """The arguments."""
        return self.arguments


class Literal(Node, frozen=True):
    """A list or a map that is written out, or (with a name) a message."""

    elements: tuple[Node, ...]
    is_list: bool
    message: str = ""

    @property
    def children(self) -> tuple[Node, ...]:
        """Elements, keys and values."""
        return self.elements


class Comprehension(Node, frozen=True):
    """What ``all``, ``exists``, ``exists_one``, ``map`` and ``filter`` become."""

    range: Node
    others: tuple[Node, ...]

    @property
    def children(self) -> tuple[Node, ...]:
        """The range and what is done for each of it."""
        return (self.range, *self.others)


def walk(node: Node) -> Iterator[Node]:
    """The node, and all below it."""
    yield node
    for child in node.children:
        yield from walk(child)


def tree_of(serialized: bytes) -> Node:
    """The tree of a serialized expression: an `Any` around a `CheckedExpr`."""
    checked = _message(_message(serialized)[2][0])
    info = _message(checked.get(_SOURCE_INFO, [b""])[0])
    positions = {
        one.get(1, [0])[0]: one.get(2, [0])[0] for one in map(_message, info.get(_POSITIONS, []))
    }
    return _node(checked[_EXPRESSION][0], positions)


def _node(expression: bytes, positions: Mapping[int, int]) -> Node:
    read = _message(expression)
    offset = positions.get(read.get(2, [0])[0], -1)

    def below(message: Message, field: int) -> list[Node]:
        return [_node(one, positions) for one in message.get(field, [])]

    for kind in _KINDS:
        if kind in read:
            return _of_kind(kind, _message(read[kind][0]), offset, below)
    raise ValueError("an expression of no kind")


def _of_kind(kind: int, part: Message, offset: int, below: Any) -> Node:
    node: Node
    match kind:
        case 3:
            text = _text(part, _STRING_CONSTANT) if _STRING_CONSTANT in part else None
            node = Constant(offset, text, _NULL_CONSTANT in part)
        case 4:
            node = Ident(offset, _text(part, 1).removeprefix("."))
        case 5:
            node = Select(offset, below(part, 1)[0], _text(part, 2), bool(part.get(3, [0])[0]))
        case 6:
            node = Call(offset, _text(part, 2), (*below(part, 1), *below(part, 3)))
        case 7:
            node = Literal(offset, tuple(below(part, 1)), is_list=True)
        case 8:
            entries = map(_message, part.get(2, []))
            elements = [one for entry in entries for field in (3, 4) for one in below(entry, field)]
            node = Literal(offset, tuple(elements), is_list=False, message=_text(part, 1))
        case _:
            others = [one for field in range(4, 8) for one in below(part, field)]
            node = Comprehension(offset, below(part, 2)[0], tuple(others))
    return node


def _text(message: Message, field: int) -> str:
    return str(message.get(field, [b""])[0], "utf-8")


def _message(data: bytes) -> Message:
    """The fields of a message by their numbers: ints of varints, bytes of all else."""
    fields: dict[int, list[Any]] = {}
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        value: Any
        match tag & 7:
            case 0:
                value, at = _varint(data, at)
            case 1:
                value, at = data[at : at + 8], at + 8
            case 2:
                size, at = _varint(data, at)
                value, at = data[at : at + size], at + size
            case other:
                raise ValueError(f"a field of wire type {other}")
        fields.setdefault(tag >> 3, []).append(value)
    return fields


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
