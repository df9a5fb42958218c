"""Whether a CEL expression may stand in a rule: its names, its types, and what could be slow."""

import re
from collections.abc import Iterator, Mapping
from difflib import get_close_matches

from cel_expr_python import cel

from app.engagement.cel_names import Chain, chain_at, chains_in, declared_path
from app.engagement.cel_program import Program, program_of
from app.engagement.cel_tree import Call, Comprehension, Constant, Literal, Node, Select
from app.engagement.expressions import InvalidExpression, Result, Scope
from app.engagement.facts import FIXED, OPEN
from app.engagement.rule import MAX_EXPRESSION_CHARACTERS
from app.engagement.shapes import Field, Kind, Shape

MAX_PATTERN_CHARACTERS = 200
MAX_NAMES_TOLD = 12

_T = cel.Type
_SENSITIVE = _T.AbstractType("sensitive")
_TYPES = {
    Kind.BOOL: _T.BOOL,
    Kind.INT: _T.INT,
    Kind.NUMBER: _T.DOUBLE,
    Kind.STRING: _T.STRING,
    Kind.TIME: _T.TIMESTAMP,
    Kind.LIST: _T.List(_T.DYN),
    Kind.MAP: _T.Map(_T.STRING, _T.DYN),
    Kind.ANY: _T.DYN,
    Kind.SENSITIVE: _SENSITIVE,
}
_NULLABLE = {
    Kind.BOOL: _T("google.protobuf.BoolValue"),
    Kind.INT: _T("google.protobuf.Int64Value"),
    Kind.NUMBER: _T("google.protobuf.DoubleValue"),
    Kind.STRING: _T("google.protobuf.StringValue"),
    Kind.LIST: _T.DYN,
    Kind.MAP: _T.DYN,
}
_RESULTS = {
    Result.BOOL: (_T.BOOL,),
    Result.INT: (_T.INT,),
    Result.NUMBER: (_T.DOUBLE,),
    Result.STRING: (_T.STRING,),
    Result.KEY: (_T.STRING, _T.INT),
}
_UNSPEAKABLE = {_T.BYTES.name(), _T.DURATION.name(), _T.UINT.name(), "TYPE"}

_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*)")
_OVERLOAD = re.compile(r"found no matching overload for '([^']*)' applied to '(.*)'\Z")
_UNDECLARED = re.compile(r"undeclared reference to '([^']*)'")
_ONLY_EQUAL = "it is sensitive: it can only be compared with another sensitive value, by == or !="


def check(text: str, scope: Scope, result: Result, *, name: str = "") -> frozenset[str]:
    """The names below `event.data` and `trigger.data` that it reads. Raises `InvalidExpression`.

    `name` is the parameter's that its value is to be.
    """
    if len(text) > MAX_EXPRESSION_CHARACTERS:
        raise InvalidExpression(f"it has more than {MAX_EXPRESSION_CHARACTERS} characters")
    program = _program(text, scope)
    for offset, message in _faults(program.tree, scope, result, name):
        raise _fault(text, offset, message)
    _check_types(text, scope, result, list(chains_in(program.tree)))
    return frozenset(chain.text for chain in chains_in(program.tree) if chain.base in OPEN)


def uses_sensitive(text: str, scope: Scope) -> bool:
    """Whether it does more with sensitive fields than compare them. Raises `InvalidExpression`."""
    return any(_misused(_program(text, scope).tree, scope, is_compared=False))


def _program(text: str, scope: Scope) -> Program:
    try:
        return program_of(text)
    except (RuntimeError, TypeError, UnicodeError) as error:
        raise _told(str(error), scope) from error


def _fault(text: str, offset: int, message: str) -> InvalidExpression:
    before = text[: max(offset, 0)]
    return InvalidExpression(
        message, before.count("\n") + 1, len(before) - (before.rfind("\n") + 1) + 1
    )


def _told(error: str, scope: Scope) -> InvalidExpression:
    """What the library said, in our words."""
    found = _ERROR.search(error)
    if found is None:
        is_deep = "recursion" in error
        return InvalidExpression("it is too deep" if is_deep else "it is no expression")
    line, column, message = int(found[1]), int(found[2]), found[3]
    if "recursion depth" in message:
        message = "it is too deep"
    elif overload := _OVERLOAD.match(message):
        operator = overload[1].strip("_").replace("_", " ").replace("@", "")
        message = f"{operator} is not defined for {overload[2]}"
    elif undeclared := _UNDECLARED.match(message):
        message = _unknown(undeclared[1], scope)
    message = message.removesuffix(" [INVALID_ARGUMENT]").partition(" expecting ")[0]
    return InvalidExpression(message, max(line, 1), max(column, 1))


def _unknown(name: str, scope: Scope) -> str:
    root = name.partition(".")[0]
    if root not in scope.roots:
        return f"there is no {name} here, but {', '.join(scope.roots)}"
    known = [one for one in (*FIXED, *OPEN) if one.startswith(f"{root}.")]
    return f"there is no such field of {root}, but {', '.join(known)}"


def _faults(tree: Node, scope: Scope, result: Result, name: str) -> Iterator[tuple[int, str]]:
    for chain in chains_in(tree):
        yield from _faults_of_chain(chain, scope)
    is_alone = result is Result.PARAMETER and _is_sensitive(tree, scope)
    if not is_alone:
        yield from _misused(tree, scope, is_compared=False)
    elif isinstance(tree, Select) and tree.field != name:  # a sealed value is bound to its name
        yield tree.offset, f"it is sensitive, so the parameter has its name: {tree.field}"
    yield from _costly(tree, is_inside=False)


def _faults_of_chain(chain: Chain, scope: Scope) -> Iterator[tuple[int, str]]:
    root = chain.base.partition(".")[0]
    if root not in scope.roots:
        yield chain.node.offset, f"there is no {root} here, but {', '.join(scope.roots)}"
        return
    shape = scope.shapes.get(root)
    if shape is None or chain.base not in OPEN:
        return
    path = declared_path(chain.fields, shape)
    if path is None:
        yield chain.node.offset, _no_such_field(chain, shape)
    elif chain.is_test and path == ".".join(chain.fields):
        hint = f"{chain.text} is declared: when it is missing, it is null, so compare it with null"
        yield chain.node.offset, hint


def _no_such_field(chain: Chain, shape: Shape) -> str:
    wanted = ".".join(chain.fields)
    close = get_close_matches(wanted, shape, n=1)
    if close:
        return f"there is no {chain.text}; is it {chain.base}.{close[0]}?"
    known = ", ".join(sorted(shape)[:MAX_NAMES_TOLD]) or "no fields"
    return f"there is no {chain.text}; {chain.base} has {known}"


def _is_sensitive(node: Node, scope: Scope) -> bool:
    chain = chain_at(node)
    if chain is not None:
        return chain.base in OPEN and _is_sensitive_chain(chain, scope)
    if isinstance(node, Select):
        return _is_sensitive_name(node.field, scope) or _is_sensitive(node.operand, scope)
    if isinstance(node, Call) and node.function == "_[_]":
        of, index = node.arguments
        name = index.text if isinstance(index, Constant) else None
        return (name is not None and _is_sensitive_name(name, scope)) or _is_sensitive(of, scope)
    return False


def _is_sensitive_chain(chain: Chain, scope: Scope) -> bool:
    root = chain.base.partition(".")[0]
    shape, fields = scope.shapes.get(root), chain.fields
    path = declared_path(fields, shape) if shape is not None else None
    if shape is not None and path is not None:
        if shape[path].kind is Kind.SENSITIVE:
            return True
        fields = fields[path.count(".") + 1 :]
    names = scope.sensitive.get(root, ())
    return any(name in names for name in fields)


def _is_sensitive_name(name: str, scope: Scope) -> bool:
    return any(name in names for names in scope.sensitive.values())


def _misused(node: Node, scope: Scope, *, is_compared: bool) -> Iterator[tuple[int, str]]:
    """Sensitive values that are used for anything but comparing them with each other."""
    if _is_sensitive(node, scope):
        is_test = isinstance(node, Select) and node.is_test
        if not is_compared and not is_test:
            yield node.offset, _ONLY_EQUAL
        return
    compared = _is_fair_comparison(node, scope)
    for child in node.children:
        is_list = isinstance(child, Literal) and child.is_list
        if compared and is_list and isinstance(node, Call) and node.function == "@in":
            for element in child.children:
                yield from _misused(element, scope, is_compared=True)
        else:
            yield from _misused(child, scope, is_compared=compared)


def _is_fair_comparison(node: Node, scope: Scope) -> bool:
    if not isinstance(node, Call):
        return False
    if node.function in {"_==_", "_!=_"}:
        return all(_is_null(one) or _is_sensitive(one, scope) for one in node.arguments)
    if node.function == "@in":
        left, right = node.arguments
        is_list = isinstance(right, Literal) and right.is_list
        among = right.children if is_list else ()
        return _is_sensitive(left, scope) and all(_is_sensitive(one, scope) for one in among)
    return False


def _is_null(node: Node) -> bool:
    return isinstance(node, Constant) and node.is_null


def _costly(node: Node, *, is_inside: bool) -> Iterator[tuple[int, str]]:
    """What could take too long: comprehensions in others, patterns that are not known."""
    if isinstance(node, Comprehension):
        if is_inside:
            yield node.offset, "all, exists, exists_one, map and filter cannot stand in each other"
        is_inside = True
    if isinstance(node, Literal) and node.message:
        yield node.offset, f"messages such as {node.message} are not to be had"
    if isinstance(node, Call) and node.function == "matches":
        yield from _faults_of_pattern(node, is_inside=is_inside)
    for child in node.children:
        yield from _costly(child, is_inside=is_inside)


def _faults_of_pattern(call: Call, *, is_inside: bool) -> Iterator[tuple[int, str]]:
    pattern = call.arguments[-1]
    if is_inside:
        yield call.offset, "matches cannot stand in all, exists, exists_one, map or filter"
    elif not isinstance(pattern, Constant) or pattern.text is None:
        yield pattern.offset, "the pattern of matches is to be written out"
    elif len(pattern.text) > MAX_PATTERN_CHARACTERS:
        yield pattern.offset, f"a pattern has at most {MAX_PATTERN_CHARACTERS} characters"
    else:
        tried = _PATTERNS.eval(data={"pattern": pattern.text})
        if tried.type() == _T.ERROR:
            yield pattern.offset, str(tried.value()).split("\n", 1)[0].partition(": ")[2]


_PATTERNS = cel.NewEnv(variables={"pattern": _T.STRING}).compile("''.matches(pattern)")


def _check_types(text: str, scope: Scope, result: Result, chains: list[Chain]) -> None:
    try:
        compiled = cel.NewEnv(variables=_variables(scope, chains)).compile(text)
    except (RuntimeError, TypeError) as error:
        raise _told(str(error), scope) from error
    found = compiled.return_type()
    wanted = _RESULTS.get(result)
    name = found.name()
    if wanted is not None and found != _T.DYN and found not in wanted:
        raise InvalidExpression(f"it is to be of type {result.value}, and is {name.lower()}")
    if wanted is None and name.partition("<")[0] in _UNSPEAKABLE:
        raise InvalidExpression(f"JSON knows no {name.lower()}")


def _variables(scope: Scope, chains: list[Chain]) -> Mapping[str, cel.Type]:
    """The names as the scope has them: what is fixed, and the fields that are named."""
    variables = {name: _TYPES[kind] for name, kind in FIXED.items()}
    for chain in chains:
        shape = scope.shapes.get(chain.base.partition(".")[0])
        if chain.base not in OPEN:
            continue
        path = declared_path(chain.fields, shape) if shape is not None else None
        if shape is None or path is None:
            variables[chain.base] = _T.Map(_T.STRING, _T.DYN)
        else:
            variables[f"{chain.base}.{path}"] = _type_of(shape[path])
    return variables


def _type_of(field: Field) -> cel.Type:
    nullable = _NULLABLE.get(field.kind) if field.is_nullable else None
    return nullable or _TYPES[field.kind]
