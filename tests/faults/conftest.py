"""One real server is enough to break things on; how often, the environment says."""

from tests.integration.conftest import database, server

__all__ = ["database", "server"]
