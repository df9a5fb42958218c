"""Rules, put together; and opened for commands that write and show them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import NamedTuple

from app.bootstrap.sealing import sensitive_fields_of
from app.bootstrap.store import command_store
from app.catalogue import CATALOGUE, CODEC, UPCASTERS
from app.engagement.backtest import Backtests
from app.engagement.commands import CALLABLE
from app.engagement.decider import RULE, GoLive, RuleCommand
from app.engagement.rule import Rule
from app.engagement.rules import Rules
from app.engagement.shapes import EventShapes
from app.eventstore.database import Database
from app.eventstore.execute import Executed, Executor, Step
from app.eventstore.postgres import PostgresEventStore
from app.eventstore.scanning import Scan
from app.kernel.event import Metadata
from app.kernel.sensitive import SensitiveFields
from app.modules.event_types.declared import EventTypes
from app.modules.templates.saved import Templates
from app.settings import Settings


class OpenedRules(NamedTuple):
    """The rules of a store, and what commands to them run on."""

    rules: Rules
    executor: Executor
    backtests: Backtests

    async def save(self, name: str, rule: Rule, metadata: Metadata) -> int:
        """Save it and answer which version it is. Raises what `Rules.saving` raises."""
        executed = await self.command(name, await self.rules.saving(name, rule), metadata)
        return await self.rules.version_saved(name, executed.version)

    async def go_live(self, name: str, command: GoLive, metadata: Metadata) -> Executed:
        """Let a version go live. Raises what `Rules.going_live` and `command` raise."""
        return await self.command(name, await self.rules.going_live(name, command), metadata)

    async def command(self, name: str, command: RuleCommand, metadata: Metadata) -> Executed:
        """Run a command to a rule. Raises what `Executor.execute` raises."""
        return await self.executor.execute(Step(RULE, name, command), metadata=metadata)


@asynccontextmanager
async def opened_rules(settings: Settings, database: Database) -> AsyncIterator[OpenedRules]:
    """The store's rules, for the time of the block."""
    async with command_store(database, UPCASTERS) as store:
        event_types = EventTypes(store, CODEC)
        await event_types.refresh()
        rules, backtests = rules_of(store, event_types, sensitive_fields_of(settings, event_types))
        yield OpenedRules(rules, Executor(store, CODEC), backtests)


def rules_of(
    store: PostgresEventStore, event_types: EventTypes, fields: SensitiveFields
) -> tuple[Rules, Backtests]:
    """A store's rules, and what tries them on its past."""
    shapes = EventShapes(CATALOGUE, fields, event_types.schema)
    rules = Rules(store, CODEC, shapes, CALLABLE, Templates(store, CODEC).has)
    return rules, Backtests(store, CODEC, Scan(store.pool, UPCASTERS), rules)
