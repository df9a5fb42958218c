"""A definition becomes the tables and statements of each generation."""

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import sqlalchemy as sa

from app.eventstore.batch import ShardKey
from app.kernel.errors import NotFound
from projections.projection import Projection
from projections.registry import PROJECTIONS, projection_named


def make_tables(metadata: sa.MetaData, suffix: str) -> Sequence[sa.Table]:
    key = sa.Column("id", sa.Integer, primary_key=True)
    value = sa.Column("value", sa.Text)
    return [
        sa.Table(f"things{suffix}", metadata, key, value, sa.Index(None, "value")),
        sa.Table(f"things_more{suffix}", metadata, sa.Column("id", sa.Integer)),
    ]


THINGS = Projection(
    "things",
    1,
    ShardKey.NONE,
    make_tables,
    lambda: (
        """
-- A comment; with {curly} braces.
INSERT INTO {things} SELECT 'a;b' #>> '{}' FROM batch;

DELETE FROM {things_more};
"""
    ),
)


def test_a_generation_names_its_tables_and_their_indexes_by_its_number() -> None:
    generation = THINGS.generation(12)
    assert generation.name == "things_g12"
    assert set(generation.table_names) == {"things_g12", "things_more_g12"}
    assert any("CREATE TABLE things_more_g12" in text for text in generation.create_tables())
    assert generation.create_indexes() == [
        "CREATE INDEX IF NOT EXISTS things_g12_value_idx ON things_g12 (value)"
    ]
    assert not any("INDEX" in text for text in generation.create_tables())


def test_statements_name_the_tables_of_their_generation() -> None:
    assert THINGS.generation(3).statements == (
        "INSERT INTO things_g3 SELECT 'a;b' #>> '{}' FROM batch",
        "DELETE FROM things_more_g3",
    )


def test_a_placeholder_without_a_table_is_a_mistake() -> None:
    with pytest.raises(KeyError, match="elsewhere"):
        _ = replace(THINGS, apply=lambda: "DELETE FROM {elsewhere};").generation(1).statements


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_apply_sql_is_a_function_of_the_events_alone(projection: Projection[Any]) -> None:
    text = projection.apply().lower() if projection.apply else ""
    impure = r"\b(now|random|nextval|current_\w+|clock_\w+|gen_random_uuid|float|double|real)\b"
    assert not re.search(impure, text)
    assert "{" not in "".join(projection.generation(1).statements).replace("'{}'", "")


@pytest.mark.parametrize("projection", PROJECTIONS, ids=lambda projection: projection.name)
def test_names_leave_room_for_the_number_of_a_generation(projection: Projection[Any]) -> None:
    generation = projection.generation(999_999)
    assert projection_named(projection.name) is projection
    for name in generation.table_names:
        assert re.fullmatch(rf"{projection.name}(_[a-z0-9_]+)?_g999999", name)
        assert len(name) <= 63


def test_a_projection_that_does_not_exist_is_not_found() -> None:
    with pytest.raises(NotFound):
        projection_named("nothing")
