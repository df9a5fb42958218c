"""Which schemas may be declared, and what fits them."""

from typing import Any

import msgspec
import pytest
from msgspec import Raw

from app.kernel.errors import InvalidInput
from app.modules.event_types.schemas import (
    MAX_ALTERNATIVES,
    MAX_DEPTH_LEVELS,
    MAX_PATTERNS,
    MAX_REASONS,
    MAX_SCHEMA_BYTES,
    MAX_SUBSCHEMAS,
    Schema,
)

ORDER = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "pattern": "^[A-Z]-[0-9]+$"},
        "amount": {"type": "number", "minimum": 0},
        "placed_at": {"type": "string", "format": "date-time"},
        "items": {"type": "array", "items": {"$ref": "#/$defs/item"}},
    },
    "required": ["order_id"],
    "additionalProperties": False,
    "$defs": {"item": {"properties": {"sku": {"type": "string"}}, "required": ["sku"]}},
}


def reasons(schema: Any, data: Any) -> list[tuple[str, str]]:
    found = Schema(schema).reasons_against(Raw(msgspec.json.encode(data)))
    return [(reason.field, reason.detail) for reason in found]


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"properties": {"a": schema}}
    return schema


@pytest.mark.parametrize(
    "data",
    [
        {"order_id": "A-7"},
        {"order_id": "A-7", "amount": 10**30, "placed_at": "2026-11-22T09:30:00Z"},
        {"order_id": "A-7", "amount": 1e300, "items": [{"sku": "x", "more": None}]},
    ],
)
def test_what_fits_has_nothing_against_it(data: Any) -> None:
    assert reasons(ORDER, data) == []


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({}, "data"),
        ({"order_id": 7}, "data.order_id"),
        ({"order_id": "A-7", "amount": -1}, "data.amount"),
        ({"order_id": "A-7", "placed_at": "yesterday"}, "data.placed_at"),
        ({"order_id": "A-7", "items": [{"sku": "x"}, {}]}, "data.items[1]"),
        ({"order_id": "A-7", "other": 1}, "data"),
    ],
)
def test_a_reason_names_the_place(data: Any, field: str) -> None:
    [(found, detail)] = reasons(ORDER, data)
    assert found == field
    assert detail


def test_several_reasons_are_told_at_once_and_none_tells_a_value() -> None:
    found = reasons(ORDER, {"order_id": "canary-1", "amount": "canary-2", "placed_at": "canary-3"})
    assert [field for field, _ in found] == ["data.order_id", "data.amount", "data.placed_at"]
    assert "canary" not in str(found)


def test_reasons_are_few_however_much_is_wrong() -> None:
    schema = {"additionalProperties": {"type": "string"}}
    assert len(reasons(schema, {f"k{n}": n for n in range(1_000)})) == MAX_REASONS
    assert len(reasons(schema, {f"k{n}": n for n in range(10_001)})) == 1


@pytest.mark.parametrize(
    ("schema", "field"),
    [
        ([], "schema"),
        ("object", "schema"),
        ({"type": "strin"}, "schema.type"),
        ({"type": []}, "schema.type"),
        ({"requierd": ["a"]}, "schema.requierd"),
        ({"properties": {"a": {"minimum": "x"}}}, "schema.properties.a.minimum"),
        ({"properties": {"a": 5}}, "schema.properties.a"),
        ({"properties": []}, "schema.properties"),
        ({"allOf": [{}, {"type": "x"}]}, "schema.allOf[1].type"),
        ({"allOf": {}}, "schema.allOf"),
        ({"required": "a"}, "schema.required"),
        ({"format": "nope"}, "schema.format"),
        ({"format": "regex"}, "schema.format"),
        ({"properties": {"a": {"pattern": "("}}}, "schema.properties.a.pattern"),
        ({"pattern": "(?=a)b"}, "schema.pattern"),
        ({"pattern": r"(a)\1"}, "schema.pattern"),
        ({"pattern": "((a{100}){100}){100}"}, "schema.pattern"),
        ({"patternProperties": {"(": {}}}, "schema.patternProperties.("),
        ({"$ref": "https://example.org/schema"}, "schema.$ref"),
        ({"$ref": "file:///etc/passwd"}, "schema.$ref"),
        ({"$ref": "#"}, "schema.$ref"),
        ({"$ref": "#/$defs/none"}, "schema.$ref"),
        ({"$ref": 7}, "schema.$ref"),
        ({"$dynamicRef": "#x"}, "schema.$dynamicRef"),
        ({"$id": "https://example.org/schema"}, "schema.$id"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "schema.$schema"),
        ({"unevaluatedProperties": False}, "schema.unevaluatedProperties"),
        ({"properties": {"a": {"$defs": {}}}}, "schema.properties.a.$defs"),
        ({"$defs": {"a": {"type": "x"}}}, "schema.$defs.a.type"),
        (
            {"$defs": {"a": {"not": {"$ref": "#/$defs/b"}}, "b": {"$ref": "#/$defs/a"}}},
            "schema.$defs.b.$ref",
        ),
    ],
)
def test_a_bad_schema_is_refused_with_the_path(schema: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        Schema(schema)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "schema",
    [
        {"description": "x" * MAX_SCHEMA_BYTES},
        {"properties": {f"p{n}": True for n in range(MAX_SUBSCHEMAS)}},
        nested(MAX_DEPTH_LEVELS),
        {"anyOf": [{} for _ in range(MAX_ALTERNATIVES + 1)]},
        {"enum": [[n] for n in range(MAX_ALTERNATIVES + 1)]},
        {"properties": {f"p{n}": {"pattern": "a"} for n in range(MAX_PATTERNS + 1)}},
        # Each of these leads to the next one twice: 2 to the power of 20 looks at one value.
        {
            "$ref": "#/$defs/d0",
            "$defs": {
                f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} if n < 20 else {}
                for n in range(21)
            },
        },
    ],
)
def test_a_schema_that_would_cost_too_much_is_refused(schema: Any) -> None:
    with pytest.raises(InvalidInput, match="at most"):
        Schema(schema)


def test_a_regular_expression_is_matched_in_linear_time() -> None:
    schema = {"properties": {"a": {"pattern": "^(a+)+$"}}}
    assert len(reasons(schema, {"a": "a" * 60_000 + "b"})) == 1


def test_true_lets_everything_in_and_false_nothing() -> None:
    assert reasons(True, {"a": 1}) == []
    assert len(reasons(False, {})) == 1


def test_a_property_may_be_named_like_a_keyword() -> None:
    schema = {"properties": {"$id": {"type": "string"}, "requierd": {"type": "number"}}}
    assert reasons(schema, {"$id": "x", "requierd": 1}) == []
