"""Expressions that would take for ever or fill the memory: refused when saved, or cut."""

import resource
from typing import Any

import pytest

from app.engagement.cel_check import check
from app.engagement.expressions import CannotEvaluate, InvalidExpression, Result
from tests.unit.engagement.test_expressions import SCOPE, facts, value_of

MAX_GROWTH_KIB = 200 * 1024


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\x00",
        "event.data.amount > 3\x00",
        "größe > 3",
        "\ud800",
        "'\ud800' == ''",
        "// nothing",
        "x" * 100_000,
        "1" + " + 1" * 25_000,
        "(" * 500 + "true" + ")" * 500,
        "[" * 900 + "]" * 900,
        "!" * 1_900 + "event.data.amount",
        "true" + " && true" * 240 + " && 1",
        "event.data.items.all(a, event.data.items.all(b, true))",
        "event.data.items.map(a, a).map(a, a + a).map(a, a + a) == []",
        "event.data.items.filter(a, true).exists(a, true)",
        "event.data.items.exists(a, a.sku.matches('(a+)+$'))",
        "'a'.matches(profile.traits.tier)",
        "'a'.matches('(')",
        "'a'.matches('(a{0,1000}){0,1000}')",
        f"'a'.matches('{'(a{0,9})' * 60}')",
    ],
)
def test_it_is_refused(text: str) -> None:
    with pytest.raises(InvalidExpression):
        check(text, SCOPE, Result.BOOL)


@pytest.mark.parametrize(
    ("text", "result", "data"),
    [
        ("event.data.items.all(i, i >= 0)", Result.BOOL, {"items": list(range(20_000))}),
        (
            "event.data.items.all(i, i in event.data.items)",
            Result.BOOL,
            {"items": list(range(5_000))},
        ),
        (
            "event.data.items.map(i, event.data.word + event.data.word)",
            Result.VALUE,
            {"items": list(range(5_000)), "word": "x" * 60_000},
        ),
        (
            "event.data.items.exists(i, event.data.word.contains(string(i)))",
            Result.BOOL,
            {"items": list(range(5_000)), "word": "x" * 60_000},
        ),
        ("event.data.items", Result.VALUE, {"items": list(range(5_000))}),
        ("event.data.word", Result.PARAMETER, {"word": "x" * 60_000}),
        ("[[event.data.word]]", Result.VALUE, {"word": "x" * 60_000}),
    ],
)
def test_it_is_cut(text: str, result: Result, data: dict[str, Any]) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(CannotEvaluate):
        value_of(text, result, facts(**data))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MAX_GROWTH_KIB


def test_data_that_is_too_deep_is_cut() -> None:
    deep: Any = 1
    for _ in range(500):
        deep = [deep]
    with pytest.raises(CannotEvaluate):
        value_of("size(event.data.items) == 1", seen=facts(items=deep))


def test_the_work_that_is_allowed_is_soon_done() -> None:
    items = list(range(900))
    assert value_of("event.data.items.all(i, i in event.data.items)", seen=facts(items=items))
