"""What seals sensitive fields, and opens them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from psycopg_pool import AsyncConnectionPool

from app.bootstrap.store import command_store
from app.catalogue import CATALOGUE, CODEC, UPCASTERS
from app.engagement.redacting import RuleCopies
from app.eventstore.acts import Acts
from app.eventstore.database import Connection, Database
from app.kernel.declared import DeclaredTypes
from app.kernel.event import Metadata
from app.kernel.ids import new_event_id, stream_name
from app.kernel.sensitive import SensitiveFields
from app.master_key import next_master_keys, read_master_keys, retire_master_keys
from app.modules.event_types.declared import followed_event_types
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.master_key import MasterKeys
from app.security.ciphers.redaction import OnRedaction, Redaction
from app.security.ciphers.rewrap import CATEGORY, alone, rewrap
from app.security.ciphers.sealing import Sealing
from app.security.events import RewrapBegun, RewrapDone
from app.settings import Settings


async def begun_data_keys(settings: Settings, pool: AsyncConnectionPool[Connection]) -> DataKeys:
    """The customers' data keys, under the settings' master key; raises `InvalidInput` for it."""
    data_keys = DataKeys(pool, MasterKeys(lambda: read_master_keys(settings)), settings.schema)
    await data_keys.begin()
    return data_keys


def sensitive_fields_of(settings: Settings, declared: DeclaredTypes) -> SensitiveFields:
    """The names of sensitive fields, those that types of events declare among them."""
    return SensitiveFields(settings.sensitive_fields.split(), declared.sensitive_fields)


@asynccontextmanager
async def opened_sealing(
    settings: Settings, database: Database, declared: DeclaredTypes
) -> AsyncIterator[Sealing]:
    """What seals, for the time of the block; for what appends without the API."""
    async with database.pool(max_size=1) as pool:
        data_keys = await begun_data_keys(settings, pool)
        yield Sealing(data_keys, sensitive_fields_of(settings, declared))


async def rewrap_data_keys(settings: Settings, database: Database, metadata: Metadata) -> int:
    """Wrap the data keys under a new master key, and destroy the old one; how many there were.

    The log tells of it, before and after. Raises `InvalidInput` where the settings give no new one,
    and `WrongMasterKey`.
    """
    stream = stream_name(CATEGORY, str(new_event_id()))
    async with alone(database), command_store(database) as store:
        acts = Acts(store, CODEC)
        await acts.record(stream, RewrapBegun(), metadata)
        next_master_keys(settings)
        masters = MasterKeys(lambda: read_master_keys(settings))
        rewrapped = await rewrap(store.pool, masters, settings.schema)
        retire_master_keys(settings)
        await acts.record(stream, RewrapDone(rewrapped, masters.epoch), metadata)
    return rewrapped


async def redact_events(
    settings: Settings, database: Database, metadata: Metadata, on_progress: OnRedaction
) -> int:
    """Seal what was recorded in plaintext; see `app.security.ciphers.redaction`."""
    async with command_store(database, UPCASTERS) as store:
        data_keys = await begun_data_keys(settings, store.pool)
        async with followed_event_types(store, CODEC) as declared:
            fields = sensitive_fields_of(settings, declared)
            copies = RuleCopies(store, CODEC, fields)
            redaction = Redaction(store, data_keys, CATALOGUE, fields, copies)
            return await redaction.run(metadata, on_progress)
