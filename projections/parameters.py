"""The parameters that the read models' queries share."""

from typing import Annotated

from litestar.params import QueryParameter

from app.http.parameters import MAX_POSITION
from app.kernel.errors import InvalidInput
from projections.paging import MAX_LIMIT

Limit = Annotated[int, QueryParameter(ge=1, le=MAX_LIMIT, description="How many at the most.")]
Cursor = Annotated[
    str | None, QueryParameter(description="The `next_cursor` of the page before this one.")
]
MinPosition = Annotated[
    int | None,
    QueryParameter(
        ge=0,
        le=MAX_POSITION,
        description="Answer no earlier than with this position of the log, such as the one that a "
        "command answered with.",
    ),
]


def check_length(value: str, *, max_characters: int, field: str) -> str:
    """The value itself, or `InvalidInput`; that it is printable was checked with the whole URL."""
    if len(value) > max_characters:
        raise InvalidInput(f"it has at most {max_characters} characters", field=field)
    return value
