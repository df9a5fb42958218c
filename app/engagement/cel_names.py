"""What a CEL expression reads, by its tree."""

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from app.engagement.cel_tree import Ident, Node, Select
from app.engagement.facts import FIXED, OPEN
from app.engagement.shapes import Field, Kind, Shape

_ANY = Field(Kind.ANY, is_nullable=True)


class Chain(Struct, frozen=True):
    """Fields of something that facts know: ``event.data``, with ``customer`` and ``tier``."""

    base: str
    fields: tuple[str, ...]
    node: Node
    is_test: bool
    """Whether ``has(…)`` asks for it."""

    @property
    def text(self) -> str:
        """As it is written."""
        return ".".join((self.base, *self.fields))


class Read(Struct, frozen=True):
    """A name whose value is bound when an expression is evaluated."""

    name: str
    base: str
    path: tuple[str, ...]
    field: Field
    is_declared: bool
    """Whether a value of another kind is a fault, and one that is missing is null."""


def chain_at(node: Node) -> Chain | None:
    """The chain that a node is; None when it is something else."""
    fields: list[str] = []
    base = node
    while isinstance(base, Select):
        fields.append(base.field)
        base = base.operand
    if not isinstance(base, Ident) or (base.name not in OPEN and base.name not in FIXED):
        return None
    is_test = isinstance(node, Select) and node.is_test
    return Chain(base.name, tuple(reversed(fields)), node, is_test)


def chains_in(node: Node) -> Iterator[Chain]:
    """The chains of a tree, the longest at each place."""
    chain = chain_at(node)
    if chain is not None:
        yield chain
        return
    for child in node.children:
        yield from chains_in(child)


def declared_path(fields: Sequence[str], shape: Shape) -> str | None:
    """The declared field that a chain begins with."""
    paths = (".".join(fields[:count]) for count in range(len(fields), 0, -1))
    return next((path for path in paths if path in shape), None)


def read_of(chain: Chain, shapes: Mapping[str, Shape | None]) -> Read:
    """What is bound for a chain; without a declaration, the first field in full."""
    if chain.base in FIXED:
        return Read(chain.base, chain.base, (), Field(FIXED[chain.base]), is_declared=True)
    shape = shapes.get(chain.base.partition(".")[0])
    path = declared_path(chain.fields, shape) if shape is not None else None
    if shape is not None and path is not None:
        parts = tuple(path.split("."))
        return Read(f"{chain.base}.{path}", chain.base, parts, shape[path], is_declared=True)
    parts = chain.fields[:1]
    return Read(".".join((chain.base, *parts)), chain.base, parts, _ANY, is_declared=False)
