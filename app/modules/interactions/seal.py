"""Sealing what senders say, before it is stored anywhere."""

from collections.abc import Awaitable, Callable, Sequence

from app.eventstore.port import Append
from app.modules.interactions.quarantine import Misfit

Seal = Callable[[Sequence[Append]], Awaitable[Sequence[Append]]]
"""Seals the sensitive fields of appends, in their order, before they reach the store."""


async def unsealed(appends: Sequence[Append]) -> Sequence[Append]:
    """Seals nothing."""
    return appends


async def sealed_misfits(misfits: Sequence[Misfit], seal: Seal) -> list[Misfit]:
    """The misfits with the sensitive fields of their events sealed."""
    appends = await seal([misfit.append for misfit in misfits])
    return [Misfit(append, misfit.reasons) for append, misfit in zip(appends, misfits, strict=True)]
