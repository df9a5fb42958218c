"""The API key of a command that calls the API."""

from datetime import timedelta

import uvloop
from click import UsageError

from app.bootstrap.keys import opened_keys
from app.cli.acting import acting
from app.embedded import find_running
from app.kernel.principal import EVERYTHING
from app.running import database_of
from app.settings import Settings

LIFETIME = timedelta(hours=12)


def key_for_calls(settings: Settings, name: str) -> str:
    """The key of the settings, else one that is made here, on an embedded store that runs.

    Raises `click.UsageError` when there is neither.
    """
    if settings.api_key is not None:
        return settings.api_key
    running = None if settings.database_url else find_running(settings.data_dir)
    if running is None:
        raise UsageError("give an API key: --api-key or TIDINGS_API_KEY (tidings keys create)")

    async def make() -> str:
        async with opened_keys(settings, database_of(settings, running)) as keys:
            return (await keys.lend(name, [EVERYTHING], LIFETIME, acting(name))).key

    return uvloop.run(make())
