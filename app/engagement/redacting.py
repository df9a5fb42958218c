"""Redaction of what rules have copied: `app.security.ciphers.redaction.Copies`.

An instance remembers values of its trigger, and may be told by one. The trigger stands in the log,
where they are sealed by then: from there they are taken anew, and digests are the keys, as with
events that come now. An instance whose key cannot be told any more gets one that no event has.

An engine beside it has decided on what it has read before, and remembers it. That its checkpoint's
row changes makes it lose the race that it does not know of, read again, and decide on what is
sealed: see `app.engagement.engine`. So each change of a state changes that row first, and none is
made of a state that has changed meanwhile: it is looked at again.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import Raw, Struct
from msgspec.json import encode

from app.engagement.copies import CopiedNames
from app.engagement.expressions import CannotEvaluate
from app.engagement.facts import Facts, remembered
from app.engagement.history import book_at
from app.engagement.instances import key_text
from app.engagement.keeping import TOTALS, customer_of, encoded_state, state_of
from app.engagement.passage import seen
from app.engagement.rulebook import RuleBook
from app.engagement.state import Instance, Profile, SeenEvent
from app.eventstore.codec import Codec
from app.eventstore.database import fetch
from app.eventstore.postgres import PostgresEventStore
from app.kernel.errors import Contention
from app.kernel.sensitive import SensitiveFields
from app.reactions.reacting import MAX_RACES
from app.reactions.status import ENGAGEMENT

STATES_A_STATEMENT = 500

_RULE = "rule:"
_EMPTY = b"{}"
_PAGE = """
SELECT key, state::text FROM engagement_states
WHERE key > %s AND key <> %s ORDER BY key LIMIT %s
"""
_MATCHES = """
SELECT (data ->> 'rule_version')::integer, (data ->> 'trigger')::uuid, (data ->> 'at')::timestamptz
FROM events
WHERE customer_id = %s AND type = 'decision.made' AND data ->> 'rule' = %s
    AND data ->> 'step' = 'pattern' AND (data ->> 'at')::timestamptz = ANY (%s)
ORDER BY position
"""
_AGAIN = "SELECT key, state::text FROM engagement_states WHERE key = ANY (%s)"
# The checkpoint comes first, as when the engine commits: or each would wait for the other. A state
# that the engine has written meanwhile is another one, and stays.
_REWRITE = """
WITH touched AS (
    UPDATE checkpoints SET moved_at = moved_at WHERE consumer = %(consumer)s RETURNING 1
), rewritten AS (
    UPDATE engagement_states AS kept SET state = new.state
    FROM jsonb_to_recordset(%(states)s::jsonb) AS new (key text, before jsonb, state jsonb)
    WHERE (SELECT count(*) FROM touched) >= 0
        AND kept.key = new.key AND kept.state = new.before
    RETURNING 1
)
SELECT count(*) FROM rewritten
"""


class _Rewritten(Struct, frozen=True):
    key: str
    before: Raw
    state: Raw


class RuleCopies:
    """What rules have copied of customers' events."""

    def __init__(self, store: PostgresEventStore, codec: Codec, fields: SensitiveFields) -> None:
        """Take the log, and which fields are sensitive by now."""
        self._store = store
        self._codec = codec
        self._fields = fields
        self._book = RuleBook()
        self._names = CopiedNames(self._book, fields)

    async def look(self) -> None:
        """Take in the rules that there are. Raises `StoreUnavailable`."""
        self._book = await book_at(self._store, self._codec, await self._store.head())
        self._names = CopiedNames(self._book, self._fields)

    def names(self, actor: str) -> frozenset[str] | None:
        """The names under which it stands in what a rule has recorded; None: nobody's copies."""
        if not actor.startswith(_RULE):
            return None
        return self._names.of(actor.removeprefix(_RULE))

    async def redact_states(self) -> None:
        """Let the engine go on with what is in the log now.

        Raises `Contention` when it writes without a pause, and `StoreUnavailable`.
        """
        await self._rewrite([])
        after = ""
        while rows := await fetch(self._store.pool, _PAGE, (after, TOTALS, STATES_A_STATEMENT)):
            await self._redact(rows)
            after = rows[-1][0]

    async def _redact(self, rows: Sequence[tuple[Any, ...]]) -> None:
        for _ in range(MAX_RACES):
            changed = await self._changed(rows)
            if not changed:
                return
            await self._rewrite(changed)
            rows = await fetch(self._store.pool, _AGAIN, ([each.key for each in changed],))
        raise Contention

    async def _rewrite(self, states: Sequence[_Rewritten]) -> None:
        values = {"consumer": ENGAGEMENT, "states": encode(states).decode()}
        await fetch(self._store.pool, _REWRITE, values)

    async def _changed(self, rows: Iterable[tuple[Any, ...]]) -> list[_Rewritten]:
        """The states that the log tells otherwise by now."""
        kept = [(key, text, state_of(customer_of(key), text.encode())) for key, text in rows]
        instances = [each for _, _, state in kept for each in state.instances]
        triggers = await self._triggers(each.trigger for each in instances)
        changed = []
        for key, text, state in kept:
            before = encoded_state(state)
            for instance in state.instances:
                self._take_anew(instance, triggers[instance.trigger])
            state.begun = await self._begun(customer_of(key), state.begun)
            if (after := encoded_state(state)) != before:
                changed.append(_Rewritten(key, Raw(text.encode()), Raw(after or _EMPTY)))
        return changed

    async def _triggers(self, event_ids: Iterable[UUID]) -> Mapping[UUID, SeenEvent]:
        found = await self._store.find_all(set(event_ids))
        return {event_id: seen(event) for event_id, event in found.items()}

    def _take_anew(self, instance: Instance, trigger: SeenEvent) -> None:
        names = {name for name in instance.inputs if name.startswith("trigger.")}
        others = {name: instance.inputs[name] for name in instance.inputs.keys() - names}
        instance.inputs = remembered(names, trigger) | others
        if self._names.are_in_key(instance.rule):
            key = self._key(instance.rule, instance.version, trigger)
            instance.key = instance.id.hex if key is None else key

    async def _begun(
        self, customer_id: str, begun: Mapping[str, list[datetime]]
    ) -> dict[str, list[datetime]]:
        """When rules began, by keys: those of the triggers of what was decided then."""
        anew, times = dict[str, list[datetime]](), dict[str, set[datetime]]()
        for name, began_at in begun.items():
            rule = name.partition("/")[0]
            if self._names.are_in_key(rule):
                times.setdefault(rule, set()).update(began_at)
            else:
                anew[name] = began_at
        for rule, began in times.items():
            values = (customer_id, rule, sorted(began))
            matches = await fetch(self._store.pool, _MATCHES, values)
            triggers = await self._triggers(trigger for _, trigger, _ in matches)
            for version, trigger, at in matches:
                if (key := self._key(rule, version, triggers[trigger])) is not None:
                    anew.setdefault(f"{rule}/{key}", []).append(at)
        return anew

    def _key(self, rule: str, number: int, trigger: SeenEvent) -> str | None:
        """As events have it that come now; None: none of them."""
        version = self._book.version(rule, number)
        if version is None or not version.has_key:
            return None
        facts = Facts(Profile(trigger.customer_id), trigger)
        try:
            return key_text(version.compiled.expressions["trigger.key"].evaluate(facts))
        except CannotEvaluate:
            return None
