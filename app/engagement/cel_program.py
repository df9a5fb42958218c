"""CEL expressions, ready for evaluation.

How long an evaluation takes cannot be cut from outside, so it is bounded by what goes in: the
length of the text and its depth, no comprehension within another (`cel_check`), and here the work
of a comprehension, estimated from the sizes of what is bound.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from math import isfinite
from typing import Any

from cel_expr_python import cel
from msgspec import Struct

from app.engagement.cel_names import Chain, Read, chain_at, chains_in, read_of
from app.engagement.cel_tree import Call, Comprehension, Constant, Ident, Node, tree_of, walk
from app.engagement.cel_values import AS_THEY_ARE, Sizes, bindable, plain, storable
from app.engagement.expressions import CannotEvaluate, Result
from app.engagement.facts import FIXED, MISSING, OPEN, Facts, finder
from app.engagement.shapes import Kind, Shape
from app.kernel.errors import first_line

MAX_WORK = 2_000_000
"""Steps of one evaluation, about: elements compared, or 16 characters copied or searched."""
MAX_ITERATIONS = 10_000
"""The library's own bound, for all comprehensions of an expression together."""
MAX_RESULT_SIZE = 2_000
"""Values and every 16 characters of what an expression comes to."""
MAX_KEY_CHARACTERS = 200
MAX_PROGRAMS = 1_000
MAX_ENVIRONMENTS = 100
MAX_COMPLAINT_CHARACTERS = 200

_CHEAP = {"@not_strictly_false", "_&&_", "_||_", "!_", "_?_:_", "_-_", "_*_", "_/_", "_%_", "-_"}

_TYPES = {
    Kind.STRING: cel.Type.STRING,
    Kind.INT: cel.Type.INT,
    Kind.BOOL: cel.Type.BOOL,
    Kind.TIME: cel.Type.TIMESTAMP,
}


class Program:
    """An expression's text, compiled, and its tree. Expressions of one text share it."""

    def __init__(self, text: str, times: frozenset[str] = frozenset()) -> None:
        """Compile it; these fields are times. Raises `RuntimeError`, in the library's words."""
        self._text = text
        compiled = _environment(frozenset()).compile(text)
        self.tree = tree_of(compiled.serialize())
        self._compiled = _environment(times).compile(text) if times else compiled
        self.heavy_calls = sum(
            _is_heavy(node)
            for comprehension in walk(self.tree)
            if isinstance(comprehension, Comprehension)
            for other in comprehension.others
            for node in walk(other)
        )
        sums = sum(isinstance(one, Call) and one.function == "_+_" for one in walk(self.tree))
        self._range_factor = sums + 1

    def work(self, sizes: Sizes) -> int:
        """What an evaluation may cost, at most, beyond a look at each value."""
        longest = max(sizes.longest, len(self._literals)) * self._range_factor
        return min(longest, MAX_ITERATIONS) * self.heavy_calls * (sizes.total + 1)

    @property
    def _literals(self) -> list[Node]:
        return [one for one in walk(self.tree) if isinstance(one, Constant)]

    def run(self, bound: Mapping[str, Any]) -> Any:
        """The value in Python's types. Raises `CannotEvaluate`."""
        try:
            value = self._compiled.eval(data=bound)
            found = value.plain_value()
            # Errors are strings; asking for the type takes a while.
            is_error = found.__class__ is str and value.type() == cel.Type.ERROR
        except Exception as error:  # the library raises what it likes
            raise CannotEvaluate(self._complaint(first_line(error))) from error
        if is_error:
            raise CannotEvaluate(self._complaint(found))
        return found

    def _complaint(self, told: str) -> str:
        """What the library says, without a value: a key is told when the expression names it."""
        line = told.split("\n", 1)[0]
        complaint, _, key = line.partition(" : ")
        told = line if key.strip('"') in self._text else complaint
        return told[:MAX_COMPLAINT_CHARACTERS]


def _is_heavy(node: Node) -> bool:
    """Whether a call's cost grows with its arguments."""
    if not isinstance(node, Call) or node.function in _CHEAP:
        return False
    first = node.arguments[0] if node.arguments else None
    if isinstance(first, Ident) and first.name == "@result":  # of the macro itself
        return False
    is_comparison = node.function in {"_==_", "_!=_", "_<_", "_>_", "_<=_", "_>=_"}
    return not (is_comparison and any(isinstance(one, Constant) for one in node.arguments))


@lru_cache(MAX_ENVIRONMENTS)
def _environment(times: frozenset[str]) -> cel.Env:
    """For evaluation: what was checked may be anything, but for these times."""
    variables = {name: _TYPES[kind] for name, kind in FIXED.items()}
    variables |= dict.fromkeys(OPEN, cel.Type.Map(cel.Type.STRING, cel.Type.DYN))
    return cel.NewEnv(variables=variables | dict.fromkeys(times, cel.Type.TIMESTAMP))


program_of = lru_cache(MAX_PROGRAMS)(Program)


class _Binding(Struct, frozen=True):
    """How a name's value comes into an evaluation."""

    read: Read
    find: Callable[[Facts], Any]
    as_they_are: frozenset[type]
    """Of values that need no conversion."""


class CelExpression:
    """A CEL expression that was checked: see `CompiledExpression`."""

    def __init__(self, text: str, shapes: Mapping[str, Shape | None], result: Result) -> None:
        """Take what was checked, for the shapes of ``event`` and ``trigger`` that it may name."""
        self.text = text
        self._result = result
        self._program = program_of(text)
        reads = {read_of(chain, shapes) for chain in chains_in(self._program.tree)}
        whole = {read.base for read in reads if not read.path}
        self._bindings = tuple(
            _Binding(read, finder(read.name), AS_THEY_ARE[read.field.kind])
            for read in sorted(reads, key=lambda read: (read.base, read.path))
            if not read.path or read.base not in whole
        )
        self._bases = tuple({read.base for read in reads if read.path} - whole)
        self._has_times = any(read.path and read.field.kind is Kind.TIME for read in reads)
        self.names = frozenset(read.name for read in reads)
        self._only = chain_at(self._program.tree) if result is Result.PARAMETER else None

    def evaluate(self, facts: Facts) -> Any:
        """See `CompiledExpression.evaluate`."""
        if self._only is not None:
            return self._as_it_is(self._only, facts)
        sizes = Sizes()
        bound = self._bound(facts, sizes)
        program = self._program
        if program.heavy_calls and program.work(sizes) > MAX_WORK:
            raise CannotEvaluate("there is too much to look at")
        if self._has_times and (times := frozenset(bound).difference(FIXED, OPEN)):
            program = program_of(self.text, times)
        return _checked(program.run(bound), self._result)

    def _bound(self, facts: Facts, sizes: Sizes) -> dict[str, Any]:
        bound: dict[str, Any] = {base: {} for base in self._bases}
        is_counted = self._program.heavy_calls > 0
        for binding in self._bindings:
            read, found = binding.read, binding.find(facts)
            if found is MISSING and not read.is_declared:
                if not read.path:
                    raise CannotEvaluate(f"there is no {read.name}")
                continue
            if is_counted or found.__class__ not in binding.as_they_are:
                found = bindable(read, found, sizes)
            if not read.path:
                bound[read.base] = found
            elif isinstance(found, datetime):  # no map takes one, a variable does
                bound[read.name] = found
            else:
                _put(bound[read.base], read.path, found)
        return bound

    def _as_it_is(self, chain: Chain, facts: Facts) -> Any:
        """What a name stands for, with what is sealed in it."""
        (binding,) = self._bindings
        found = binding.find(facts)
        for name in chain.fields[len(binding.read.path) :]:
            found = found.get(name, MISSING) if isinstance(found, Mapping) else MISSING
        if found is MISSING or (found is None and not binding.read.field.is_nullable):
            raise CannotEvaluate(f"there is no {chain.text}")
        return _bounded(found)


def _put(into: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        into = into.setdefault(name, {})
    into[path[-1]] = value


def _checked(value: Any, result: Result) -> Any:
    match result:
        case Result.BOOL if isinstance(value, bool):
            return value
        case Result.INT if isinstance(value, int) and not isinstance(value, bool):
            return value
        case Result.NUMBER if isinstance(value, float) and isfinite(value):
            return value
        case Result.STRING if isinstance(value, str):
            return storable(value)
        case Result.KEY if isinstance(value, str | int) and not isinstance(value, bool):
            return _short(value)
        case Result.VALUE | Result.PARAMETER:
            return _bounded(value)
    raise CannotEvaluate(f"it is no {result.value}, but {_kind(value)}")


def _short(key: str | int) -> str | int:
    if isinstance(key, str) and not 1 <= len(key) <= MAX_KEY_CHARACTERS:
        raise CannotEvaluate(f"a key has 1 to {MAX_KEY_CHARACTERS} characters")
    return storable(key) if isinstance(key, str) else key


def _bounded(value: Any) -> Any:
    sizes = Sizes()
    plain(value, sizes)
    if sizes.total > MAX_RESULT_SIZE:
        raise CannotEvaluate("it is too large")
    return value


def _kind(value: Any) -> str:
    names = {type(None): "null", float: "a number", str: "a string", datetime: "a time"}
    return names.get(type(value), type(value).__name__)
