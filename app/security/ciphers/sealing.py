"""Sealing, before anything reaches the store: events' data by name, commands' fields as marked."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import msgspec
from msgspec import Raw
from msgspec.structs import replace

from app.eventstore.port import Append
from app.kernel.cipher import SealedValue
from app.kernel.errors import Erased
from app.kernel.event import NewEvent
from app.kernel.sensitive import SensitiveFields, marked_fields
from app.security.ciphers.data_key import DataKey
from app.security.ciphers.data_keys import DataKeys
from app.security.ciphers.walking import NULL, with_sealed

_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder()

C = TypeVar("C", bound=msgspec.Struct)
Keys = Mapping[str, DataKey | None]


class Sealing:
    """Seals under the customers' data keys. What is an erased customer's becomes null."""

    def __init__(self, keys: DataKeys, fields: SensitiveFields) -> None:
        """Take the keys, and which fields are sensitive."""
        self._keys = keys
        self._fields = fields

    async def appends(self, appends: Sequence[Append]) -> Sequence[Append]:
        """The appends with their events' data sealed; those without any such name as they are.

        The keys of all are fetched, and made, together. Raises `StoreUnavailable`.
        """
        whose = self._whose(appends)
        if not whose:
            return appends
        keys = await self._keys.of_all(whose)
        return [self._sealed_append(append, keys) for append in appends]

    def at_once(self, append: Append) -> Callable[[], Append] | None:
        """What seals an append, if the keys for it are at hand."""
        whose = self._whose((append,))
        if not whose:
            return lambda: append
        keys = self._keys.at_hand(whose)
        return None if keys is None else partial(self._sealed_append, append, keys)

    async def command(self, customer_id: str | None, command: C) -> C:
        """See `CommandSealing.command`; raises `Erased` and `StoreUnavailable`."""
        if customer_id is None or not self._takes_key(command):
            return command
        key = (await self._keys.of_all([customer_id]))[customer_id]
        if key is None:
            raise Erased
        after = {}
        for name, is_whole in marked_fields(type(command)):
            before = getattr(command, name)
            after[name] = _whole(name, before, key) if is_whole else self._by_name(before, key)
        return replace(command, **after)

    async def prepare(self, commands: Iterable[tuple[str | None, msgspec.Struct]]) -> None:
        """See `CommandSealing.prepare`; raises `StoreUnavailable`."""
        whose = {customer_id for customer_id, command in commands if self._takes_key(command)}
        if known := [customer_id for customer_id in whose if customer_id is not None]:
            await self._keys.of_all(known)

    def _whose(self, appends: Iterable[Append]) -> set[str]:
        """The customers in whose events there may be something to seal."""
        of = self._fields.of
        return {
            event.customer_id
            for append in appends
            for stream in append.streams
            for event in stream.events
            if event.customer_id and of(event.type).may_occur_in(bytes(event.data))
        }

    def _sealed_append(self, append: Append, keys: Keys) -> Append:
        streams = tuple(
            replace(part, events=tuple(self._sealed_event(event, keys) for event in part.events))
            for part in append.streams
        )
        return replace(append, streams=streams)

    def _sealed_event(self, event: NewEvent, keys: Keys) -> NewEvent:
        if event.customer_id is None or event.customer_id not in keys:
            return event
        names, seal = self._fields.of(event.type), sealer(keys[event.customer_id])
        return replace(event, data=with_sealed(event.data, names, seal))

    def _takes_key(self, command: msgspec.Struct) -> bool:
        return any(
            is_whole or self._is_suspect(getattr(command, name))
            for name, is_whole in marked_fields(type(command))
        )

    def _is_suspect(self, value: object) -> bool:
        return self._fields.everywhere.may_occur_in(_encoder.encode(value))

    def _by_name(self, value: object, key: DataKey | None) -> Any:
        json = with_sealed(Raw(_encoder.encode(value)), self._fields.everywhere, sealer(key))
        return _decoder.decode(json)


def _whole(name: str, value: object, key: DataKey) -> SealedValue | None:
    if value is None or isinstance(value, SealedValue):
        return value
    return SealedValue(key.seal(name, _encoder.encode(value)))


def sealer(key: DataKey | None) -> Any:
    """What seals a field's value with a key; with none, the value is dropped."""

    def seal(name: str, value: Raw) -> Raw:
        return Raw(_encoder.encode(SealedValue(key.seal(name, bytes(value))))) if key else NULL

    return seal
