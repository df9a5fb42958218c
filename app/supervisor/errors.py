"""What can go wrong in supervising."""

from app.kernel.errors import TidingsError


class ChildFailed(TidingsError):
    """A child process could not be brought up."""


class CannotListen(TidingsError):
    """The address cannot be listened on."""
