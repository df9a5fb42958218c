"""What can go wrong with the embedded PostgreSQL."""

from app.kernel.errors import TidingsError


class EmbeddedError(TidingsError):
    """The embedded PostgreSQL cannot be used."""


class BinariesNotFound(EmbeddedError):
    """No PostgreSQL binaries that fit were found."""


class AlreadyRunning(EmbeddedError):
    """Another process runs on this data directory."""


class OrphansRemain(EmbeddedError):
    """Processes of an earlier PostgreSQL on this data directory cannot be ended."""


class StartFailed(EmbeddedError):
    """PostgreSQL did not start."""
