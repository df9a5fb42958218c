"""What is opened for the API, of which its parts are put together."""

import asyncio
from typing import NamedTuple

from app.bootstrap.reading import Reading
from app.eventstore.postgres import PostgresEventStore
from app.http.metrics import Metrics
from app.kernel.clock import Clock
from app.modules.event_types.declared import EventTypes
from app.security.ciphers.data_keys import DataKeys
from app.security.openid import OpenIdTokens
from app.security.sharing import SharedLimits
from app.security.uses import KeyUses
from app.settings import Settings
from projections.as_of import PastModels
from projections.queries import ProjectionQueries


class Opened(NamedTuple):
    """What the API is put together from, connected."""

    settings: Settings
    secret: bytes
    store: PostgresEventStore
    data_keys: DataKeys
    uses: KeyUses
    openid_tokens: OpenIdTokens | None
    limits: SharedLimits
    event_types: EventTypes
    reading: Reading
    past: PastModels
    projections: ProjectionQueries
    metrics: Metrics
    clock: Clock
    """The store's; it tells modules' commands the time."""
    closing: asyncio.Event
