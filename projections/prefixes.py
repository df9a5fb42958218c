"""Prefix searches as ranges of an index, in the order of code points (collation "C")."""

_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def first_after(prefix: str) -> str | None:
    """The least string that is greater than all that begin with the prefix; None: there is none."""
    for end in range(len(prefix), 0, -1):
        following = ord(prefix[end - 1]) + 1
        if following in _SURROGATES:
            following = _SURROGATES.stop
        if following <= _LAST_CODE_POINT:
            return prefix[: end - 1] + chr(following)
    return None


def ascii_lower(text: str) -> str:
    """In lower case as far as a to z go, as PostgreSQL's collation "C" has it."""
    return "".join(c.lower() if c.isascii() else c for c in text)
