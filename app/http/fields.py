"""Fields that many routes' bodies have, and the body that has none."""

from typing import Annotated

from msgspec import Meta, Struct

# In Python, $ alone would let a final line feed through.
Word = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$(?!\n)")]
"""A word for programs, in lower case."""
Currency = Annotated[
    str,
    Meta(pattern=r"^[A-Z]{3}$(?!\n)", description="As ISO 4217 names it.", examples=["EUR"]),
]


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a command that needs no words: ``{}``, or none at all."""
