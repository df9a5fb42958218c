"""A server that is too old is refused; its version is made up here, for none so old is at hand."""

from types import SimpleNamespace
from typing import Any, cast

import pytest

from app.eventstore.database import Connection, check_server
from app.kernel.errors import UnsafeServer

pytestmark = pytest.mark.anyio


class _Old:
    info = SimpleNamespace(server_version=140013, parameter_status={"server_version": "14.13"}.get)


async def test_a_server_older_than_15_is_refused_with_what_is_needed() -> None:
    old = cast(Connection, cast(Any, _Old()))
    for accept_data_loss in (False, True):
        with pytest.raises(UnsafeServer, match=r"PostgreSQL 15 or newer is needed.* 14\.13"):
            await check_server(old, accept_data_loss=accept_data_loss)
