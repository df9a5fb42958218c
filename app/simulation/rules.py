"""Rules that answer what the crowd does, set live for those who have none of that name."""

from collections.abc import Mapping
from typing import NamedTuple

from app.simulation.client import Client


class RuleSet(NamedTuple):
    """Rules and the templates that they name, in JSON, by their names."""

    rules: Mapping[str, bytes]
    templates: Mapping[str, bytes]


async def set_live(given: RuleSet, client: Client) -> None:
    """Save what is not there yet, and let it go live. Raises `ApiUnavailable`."""
    for name, template in given.templates.items():
        path = f"/v1/templates/{name}"
        if await client.look(path) is None:
            await client.set("PUT", path, template)
    for name, rule in given.rules.items():
        path = f"/v1/rules/{name}"
        if await client.look(path) is None:
            await client.set("PUT", path, rule)
            await client.set("POST", f"{path}/go-live", b'{"version": 1}')
