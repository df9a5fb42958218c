"""The embedded PostgreSQL: started with its owner, ended with its owner, data kept.

`EmbeddedPostgres` runs it; `own_cluster` gives a supervisor what it needs to run it; `find_running`
finds the one that another process runs.
"""

from app.embedded.cluster import Cluster, own_cluster
from app.embedded.errors import (
    AlreadyRunning,
    BinariesNotFound,
    EmbeddedError,
    OrphansRemain,
    StartFailed,
)
from app.embedded.running import find_running
from app.embedded.server import EmbeddedPostgres

__all__ = [
    "AlreadyRunning",
    "BinariesNotFound",
    "Cluster",
    "EmbeddedError",
    "EmbeddedPostgres",
    "OrphansRemain",
    "StartFailed",
    "find_running",
    "own_cluster",
]
