"""The rules as the log has them so far: folded from what happened to each."""

from app.kernel.event import Event


class RuleBook:
    """Every rule, in the versions that instances may run on."""

    def apply(self, name: str, event: Event) -> None:
        """Take in what happened to a rule, or (name ``""``) to the settings."""
        raise NotImplementedError

    def types(self) -> frozenset[str]:
        """The event types that any rule looks at."""
        raise NotImplementedError
