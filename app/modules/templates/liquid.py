"""Liquid, as strict and as bounded as templates of ours need it.

A template comes from somebody who is trusted, and what it is filled with from anybody; it is
rendered by a process that serves everybody else. So what is not known is an error, nothing reads
files, clocks or other templates, and what rendering costs is bounded: how often loops go round,
weighed by the length of the template, how much text filters take and make, and what comes out.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TextIO, cast

from liquid import BoundTemplate, Environment, RenderContext, StrictDefaultUndefined
from liquid.ast import Node
from liquid.builtin.expressions import LoopExpression
from liquid.builtin.expressions.primitive import RangeLiteral
from liquid.builtin.tags.for_tag import ForNode, ForTag
from liquid.exceptions import (
    LiquidError,
    LiquidSyntaxError,
    LoopIterationLimitError,
    ResourceLimitError,
    UndefinedError,
)
from liquid.expression import Expression
from liquid.token import TOKEN_CONTENT, TOKEN_ILLEGAL, TOKEN_OUTPUT
from liquid.undefined import Undefined
from liquid.utils import ReadOnlyChainMap

from app.kernel.errors import InvalidInput
from app.modules.templates.filters import FILTERS, NUMERIC_FILTERS, REPEATING_FILTERS, date

MAX_OUTPUT_BYTES = 100_000
MAX_ITERATIONS = 1_000
"""Of all loops of a part together."""
MAX_WORK_CHARACTERS = 2_000_000
"""Of the template, each time that a loop goes round; and of what filters take and make."""
MAX_VALUE_CHARACTERS = 20_000
"""Of what a filter takes or makes."""
MAX_NUMBER_CHARACTERS = 40
MAX_LOCALS_BYTES = 200_000
MAX_NESTED_BLOCKS = 15
MAX_TAG_CHARACTERS = 500
"""Between ``{{`` and ``}}``, or ``{%`` and ``%}``."""
MAX_FAULT_CHARACTERS = 200

_TAGS = frozenset(
    (
        *(TOKEN_CONTENT, TOKEN_ILLEGAL, TOKEN_OUTPUT),
        *("if", "unless", "case", "for", "break", "continue", "assign", "capture", "comment", "#"),
    )
)
_OPENING = re.compile(r"\{\{|\{%")
_SPACES = re.compile(r"\s{50}")
_UNREAD = re.compile(r"-?\s*(?:raw|doc)\b")
_LARGEST_INT = 2**63
# What a filter may raise for a value that it does not expect, beside Liquid's own errors.
_FAILURES = (LiquidError, ArithmeticError, LookupError, TypeError, ValueError, AttributeError)


class RenderingFailed(InvalidInput):
    """The template cannot be rendered with these values."""


class Part:
    """A subject, a text or an HTML page, ready to be rendered."""

    def __init__(self, source: str, *, is_html: bool, field: str) -> None:
        """Parse it. Raises `InvalidInput`, which names line and column."""
        self.field = field
        _check_tags(source, field)
        try:
            self._template = cast(_Template, (_HTML if is_html else _TEXT).from_string(source))
            self._template.length = len(source)
            _check_nodes(self._template.nodes, _Context(self._template))
            analysis = self._template.analyze()
        except RecursionError:
            raise InvalidInput("it is nested too deeply", field=field) from None
        except (LiquidError, ValueError) as error:  # numbers may have too many digits to be parsed
            raise InvalidInput(_where(error) + _fault(error), field=field) from None
        for name, spans in analysis.filters.items():
            if name not in FILTERS:
                line = source.count("\n", 0, spans[0].index) + 1
                raise InvalidInput(f"line {line}: there is no filter {name!r}", field=field)
        self.variables = _names(analysis.globals)
        """What it has to be given, by full names: ``order_id``, ``profile.traits.name``."""
        self._names = _names(analysis.variables)

    def render(self, values: Mapping[str, Any]) -> str:
        """Fill it. Raises `RenderingFailed`, which tells no value."""
        try:
            return self._template.render(values)
        except RecursionError:
            raise RenderingFailed("it is nested too deeply", field=self.field) from None
        except _FAILURES as error:
            raise RenderingFailed(_where(error) + self._failure(error), field=self.field) from None

    def _failure(self, error: Exception) -> str:
        """What is wrong with the template or with values, which are not quoted."""
        if isinstance(error, ResourceLimitError):
            return _fault(error)
        if isinstance(error, UndefinedError):
            return _fault(error) if self._is_written(error) else "something here is undefined"
        return "something here was given a value that it does not take"

    def _is_written(self, error: UndefinedError) -> bool:
        """Whether the name that is undefined stands in the template, and is not made of values."""
        name = str(error.message).rpartition(" is undefined")[0].strip("'")
        return any(
            written == name or written.startswith((f"{name}.", f"{name}["))
            for written in self._names
        )


class _Context(RenderContext):
    """Knows no clock, and counts what is spent."""

    __slots__ = ("_iterations", "_length", "_work")

    def __init__(self, template: "_Template", **options: Any) -> None:
        super().__init__(template, **options)
        self._length = template.length
        self.scope = ReadOnlyChainMap(self.locals, self.globals)  # without Liquid's now and today
        self._iterations = self._work = 0

    def spend(self, characters: int) -> None:
        """Count some work. Raises ResourceLimitError."""
        self._work += characters
        if self._work > MAX_WORK_CHARACTERS:
            raise ResourceLimitError("it takes too much work to render", token=None)

    def raise_for_loop_limit(self, length: int = 1) -> None:
        """Called at the beginning of each loop."""
        self._iterations += length
        if self._iterations > MAX_ITERATIONS:
            raise LoopIterationLimitError(
                f"loops go round at most {MAX_ITERATIONS:,} times", token=None
            )
        self.spend(length * self._length)

    def filter(self, name: str, token: Any) -> Callable[..., object]:
        """A filter that spends what it takes and makes."""
        inner = super().filter(name, token)

        def bounded(left: object, *args: Any, **options: Any) -> object:
            sizes = [_characters(value) for value in (left, *args, *options.values())]
            self.spend(1 + sum(sizes))
            if name in REPEATING_FILTERS:
                self.spend(sizes[0] * max(sizes[1:], default=0))
            if name in NUMERIC_FILTERS and max(sizes) > MAX_NUMBER_CHARACTERS:
                raise ResourceLimitError("a number is too long", token=token)
            made = inner(left, *args, **options)
            self.spend(_characters(made))
            return made

        return bounded


class _Template(BoundTemplate):
    context_class = _Context

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.length = 0

    def make_partial_namespace(
        self,
        partial: bool,  # noqa: ARG002 - as Liquid has it
        render_args: Mapping[str, object],
    ) -> Mapping[str, object]:
        """No names of Liquid's own."""
        return dict(render_args)


class _ForNode(ForNode):
    """Looks at the length of a range before it is written out, as to go through it backwards."""

    __slots__ = ()

    def render_to_output(self, context: RenderContext, buffer: TextIO) -> int:
        loop = self.expression
        found = loop.iterable.evaluate(context)
        if isinstance(found, range) and found[MAX_ITERATIONS:]:
            raise LoopIterationLimitError(
                f"loops go round at most {MAX_ITERATIONS:,} times", token=self.token
            )
        return super().render_to_output(context, buffer)


class _ForTag(ForTag):
    node_class = _ForNode


class _Environment(Environment):
    block_nesting_limit = MAX_NESTED_BLOCKS
    local_namespace_limit = MAX_LOCALS_BYTES
    output_stream_limit = MAX_OUTPUT_BYTES
    template_class = _Template

    def setup_tags_and_filters(self, *, extra: bool = False) -> None:
        """Only what is known to be harmless."""
        super().setup_tags_and_filters(extra=extra)
        self.add_tag(_ForTag)
        self.add_filter("date", date)
        self.tags = {name: tag for name, tag in self.tags.items() if name in _TAGS}
        self.filters = {name: self.filters[name] for name in FILTERS}


_TEXT = _Environment(undefined=StrictDefaultUndefined)
_HTML = _Environment(undefined=StrictDefaultUndefined, autoescape=True)


def _check_tags(source: str, field: str) -> None:
    """Refuse what Liquid's own lexer would go through again and again."""
    after = 0
    while opening := _OPENING.search(source, after):
        begin = opening.end()
        end = source.find("}}" if opening[0] == "{{" else "%}", begin, begin + MAX_TAG_CHARACTERS)
        line = source.count("\n", 0, begin) + 1
        if end < 0:
            detail = f"what {opening[0]} opens is not closed within {MAX_TAG_CHARACTERS} characters"
            raise InvalidInput(f"line {line}: {detail}", field=field)
        if _SPACES.search(source, begin, end):
            raise InvalidInput(f"line {line}: there is too much white space", field=field)
        if opening[0] == "{%" and _UNREAD.match(source, begin, end):
            raise InvalidInput(f"line {line}: raw and doc are not known here", field=field)
        after = end + 2


def _check_nodes(nodes: Iterable[Node], context: RenderContext) -> None:
    """Refuse a range that is not what a loop goes through: it might be as long as it likes."""
    for node in nodes:
        for expression in node.expressions():
            is_loop = isinstance(expression, LoopExpression)
            _check_expressions(expression.children() if is_loop else [expression], is_loop)
        _check_nodes(node.children(context), context)


def _check_expressions(expressions: Iterable[Expression], is_loop: bool = False) -> None:
    for expression in expressions:
        if isinstance(expression, RangeLiteral) and not is_loop:
            raise LiquidSyntaxError("a range stands only in a loop", token=expression.token)
        _check_expressions(expression.children())


def _characters(value: object) -> int:
    """How much text a value comes to, as a filter would have it. Raises ResourceLimitError."""
    rest, characters = [value], 0
    while rest:
        one = rest.pop()
        if issubclass(type(one), Undefined):
            continue  # strict: it may not even be asked of what class it is
        if isinstance(one, str):
            characters += len(one)
        elif isinstance(one, Mapping):
            rest += [*one, *one.values()]
        elif isinstance(one, list | tuple):
            rest += one
        elif isinstance(one, int) and not -_LARGEST_INT <= one < _LARGEST_INT:
            raise ResourceLimitError("a number is too large", token=None)
        characters += 1
        if characters + len(rest) > MAX_VALUE_CHARACTERS:
            raise ResourceLimitError(
                f"filters take and make at most {MAX_VALUE_CHARACTERS:,} characters", token=None
            )
    return characters


def _where(error: Exception) -> str:
    place = error.context() if isinstance(error, LiquidError) else None
    return f"line {place[0]}, column {place[1] + 1}: " if place else ""


def _fault(error: Exception) -> str:
    """What is wrong with a template: it may be quoted."""
    message = str(error.message) if isinstance(error, LiquidError) else "it cannot be read"
    return message[:MAX_FAULT_CHARACTERS]


def _names(variables: Mapping[str, Iterable[object]]) -> frozenset[str]:
    return frozenset(str(variable) for found in variables.values() for variable in found)
