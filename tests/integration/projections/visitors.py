"""Visitors that are known by an identity, so that customers can turn out to be them."""

from uuid import UUID

from app.modules.customers.identities import Identities
from tests.integration.projections.stage import Stage

SECRET = b"a secret of the tests, long enough"


def identities_of(stage: Stage) -> Identities:
    return Identities(stage.store.pool, SECRET)


async def known_visitor(stage: Stage, anonymous_id: str) -> UUID:
    return await identities_of(stage).find_or_create("anonymous", anonymous_id)
