"""Names in JSON that only Tidings itself may use."""

RESERVED_PREFIX = "$tidings"

_NESTING = (dict, list)


def path_of_reserved_name(value: object) -> str | None:
    """Where such a name stands first in decoded JSON, at any depth: ``.a[0].$tidings``.

    None: nowhere.
    """
    if isinstance(value, dict):
        for name, inner in value.items():
            if name.startswith(RESERVED_PREFIX):
                return f".{name}"
            if isinstance(inner, _NESTING) and (path := path_of_reserved_name(inner)):
                return f".{name}{path}"
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            if path := path_of_reserved_name(inner):
                return f"[{index}]{path}"
    return None
