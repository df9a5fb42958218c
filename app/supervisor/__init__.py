"""Runs child processes: starts them in order, restarts those that die, stops them in order, and
never leaves one behind.
"""

from app.supervisor.child import ChildSpec
from app.supervisor.errors import CannotListen, ChildFailed
from app.supervisor.sockets import listen
from app.supervisor.supervisor import Supervisor

__all__ = ["CannotListen", "ChildFailed", "ChildSpec", "Supervisor", "listen"]
