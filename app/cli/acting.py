"""In whose name a command acts: what the events say that it records."""

import os
import pwd

from app.kernel.event import Metadata
from app.kernel.ids import new_event_id


def acting(command: str = "cli") -> Metadata:
    """The metadata of one run of a command: the actor is ``cli:`` and the system's user."""
    run_id = str(new_event_id())
    return Metadata(correlation_id=run_id, actor=f"{command}:{_user()}", request_id=run_id)


def _user() -> str:
    """The name that the system knows the process's user by, which no variable can change."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run as a user without a name
        return str(os.getuid())
