"""What the reactor has parked, and a look at how it is doing."""

from app.bootstrap.sealing import opened_sealing
from app.bootstrap.store import command_store
from app.catalogue import CATALOGUE, CODEC, UPCASTERS
from app.engagement import parked as engagement
from app.engagement.passage import Means
from app.eventstore.acts import AUDIT, Acts
from app.eventstore.batch import Work
from app.eventstore.database import Database
from app.eventstore.parking import ParkedKey, Tell, parked_keys
from app.eventstore.port import EventStore
from app.kernel.event import Metadata
from app.kernel.ids import stream_name
from app.modules.event_types.declared import followed_event_types
from app.modules.offers.codes import code_of
from app.reactions.decisions import Deciding
from app.reactions.events import RetryRequested, SkipRequested
from app.reactions.parked import Retry, resume_parked
from app.reactions.plan import Policies
from app.reactions.reactor import CONSUMER, Rules
from app.reactions.registry import DECIDERS, POLICIES
from app.reactions.status import ENGAGEMENT, ReactionsStatus, reactions_status
from app.reactions.streams import Streams
from app.reactions.waiting import Timer, waiting_timers
from app.secret import read_secret
from app.security.ciphers.sealing import Sealing
from app.settings import Settings

RULES = Rules(POLICIES, DECIDERS)


async def parked_keys_of_reactor(database: Database) -> list[ParkedKey]:
    """The keys that reactions leave out."""
    async with await database.connect() as connection:
        return await parked_keys(connection, [CONSUMER, ENGAGEMENT])


def means_of(settings: Settings, store: EventStore, deciding: Deciding, sealing: Sealing) -> Means:
    """What the decisions of rules are carried out with."""
    return Means(store, CODEC, deciding, sealing, code_of(read_secret(settings)))


async def resume_reactions(
    settings: Settings,
    database: Database,
    key: str | None,
    metadata: Metadata,
    *,
    skip: bool,
    tell: Tell,
    rules: Rules = RULES,
) -> None:
    """Take up what the reactor leaves out; see `app.reactions.parked`.

    The metadata is of the event that says so in the log.
    """
    act = SkipRequested(key) if skip and key else RetryRequested(key)
    async with command_store(database, UPCASTERS) as store:
        await Acts(store, CODEC).record(stream_name(AUDIT, CONSUMER), act, metadata)
        async with (
            followed_event_types(store, CODEC) as declared,
            opened_sealing(settings, database, declared) as sealing,
        ):
            policies = Policies(rules.policies, rules.deciders, CODEC)
            deciding = Deciding(Streams(store, CODEC), CODEC, sealing)
            works: dict[str, Work] = {
                CONSUMER: Retry(policies, deciding, CATALOGUE),
                ENGAGEMENT: engagement.Retry(means_of(settings, store, deciding, sealing)),
            }
            await resume_parked(database, works, UPCASTERS, tell=tell, key=key, skip=skip)


async def observe_reactions(database: Database) -> ReactionsStatus:
    """How far the reactor has come, and what waits."""
    async with await database.connect() as connection:
        return await reactions_status(connection)


async def timers_that_wait(database: Database, prefix: str, limit: int) -> list[Timer]:
    """The timers whose keys begin so, by when they are due."""
    async with command_store(database) as store:
        return await waiting_timers(store.pool, prefix, limit=limit)
