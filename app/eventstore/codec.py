"""Between a module's event classes and the JSON that the log holds."""

import msgspec
from msgspec import Raw

from app.kernel.errors import UnknownEvent
from app.kernel.event import Event, EventCatalogue, Metadata, RecordedEvent

_encoder = msgspec.json.Encoder()


class Codec:
    """Encodes and decodes the payloads of the catalogue's events, by explicit wire tags."""

    def __init__(self, catalogue: EventCatalogue) -> None:
        """Make one typed decoder a type."""
        self.catalogue = catalogue
        self._decoders = {
            tag: msgspec.json.Decoder(event_type) for tag, event_type in catalogue.types.items()
        }

    def encode(self, event: Event) -> Raw:
        """The event's payload as JSON."""
        return Raw(_encoder.encode(event))

    def decode(self, recorded: RecordedEvent) -> Event:
        """The event of a module. Raises `UnknownEvent` for one that newer code has written."""
        decoder = self._decoders.get(recorded.type)
        if (
            decoder is None
            or recorded.schema_version > self.catalogue.types[recorded.type].schema_version
        ):
            raise UnknownEvent(
                f"event {recorded.position} is a {recorded.type!r} of schema version "
                f"{recorded.schema_version}, which this version does not know"
            )
        return decoder.decode(recorded.data)


def encode_metadata(metadata: Metadata) -> Raw:
    """The metadata as JSON, without what is unknown."""
    return Raw(_encoder.encode(metadata))
