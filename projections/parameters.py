"""The parameters that the read models' queries share."""

import re
from typing import Annotated

from litestar.params import QueryParameter

from app.http.parameters import MAX_POSITION
from app.kernel.clock import instant
from app.kernel.errors import InvalidInput
from projections.as_of import Moment, Past, PastModels
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

AsOf = Annotated[
    str | None,
    QueryParameter(
        description="Answer as the read model would have then: at a position of the log, or at a "
        "time such as `2026-11-22T09:30:00Z`, which means what was recorded by then. It does not "
        "go with `min_position`.",
    ),
]

MAX_FILTER_CHARACTERS = 200

EventType = Annotated[
    str | None, QueryParameter(name="type", description="Only events of this type.")
]
EventKind = Annotated[
    str | None,
    QueryParameter(name="kind", description="Only what is about this: `activity`, `customer`, …"),
]

FromDay = Annotated[
    str | None,
    QueryParameter(name="from", description="From this day on, such as `2026-11-22`, in UTC."),
]
ToDay = Annotated[
    str | None, QueryParameter(name="to", description="Up to this day, which is left out.")
]

_POSITION = re.compile(r"[0-9]{1,19}")


def moment(value: str, *, field: str) -> Moment:
    """A position, or a point in time; `InvalidInput` for what is neither."""
    if _POSITION.fullmatch(value):
        return int(value)
    try:
        return instant(value, field=field)
    except InvalidInput as error:
        raise InvalidInput(f"give a position of the log, or a time; {error}", field=field) from None


async def past_of(
    models: PastModels, customer_id: str, as_of: str | None, min_position: int | None
) -> Past | None:
    """The customer's past that is asked for, if one is.

    Raises `InvalidInput`, `PositionBeyondHead` or `StoreUnavailable`.
    """
    if as_of is None:
        return None
    if min_position is not None:
        raise InvalidInput("it does not go with min_position", field="as_of")
    return await models.of(customer_id, moment(as_of, field="as_of"), field="as_of")


def filter_text(value: str | None, *, field: str) -> str | None:
    """What is filtered by, if anything; `InvalidInput` when it is longer than 200 characters."""
    if value is None:
        return None
    return check_length(value, max_characters=MAX_FILTER_CHARACTERS, field=field)


def check_length(value: str, *, max_characters: int, field: str) -> str:
    """The value itself, or `InvalidInput`; that it is printable was checked with the whole URL."""
    if len(value) > max_characters:
        raise InvalidInput(f"it has at most {max_characters} characters", field=field)
    return value
