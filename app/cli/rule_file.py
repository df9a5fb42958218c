"""A rule in a file."""

from typing import BinaryIO

import msgspec

from app.engagement.rule import Rule
from app.http.decoding import invalid_input
from app.kernel.errors import InvalidInput

MAX_FILE_BYTES = 64 * 1024


def read_rule(file: BinaryIO, *, field: str) -> Rule:
    """The rule that stands there in JSON. Raises `InvalidInput`."""
    written = file.read(MAX_FILE_BYTES + 1)
    if len(written) > MAX_FILE_BYTES:
        raise InvalidInput(f"a rule has at most {MAX_FILE_BYTES} bytes", field=field)
    try:
        return msgspec.json.decode(written, type=Rule)
    except msgspec.DecodeError as error:
        found = invalid_input(error, written)
        said = f"{found.field}: {found}" if found.field else str(found)
        raise InvalidInput(said, field=field) from error
    except (UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(str(error), field=field) from error
