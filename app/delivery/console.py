"""The console: messages on the courier's own output, to see what customers would be told."""

import sys
from typing import TextIO

from app.delivery.channel import AfterInterruption, Outgoing


class ConsoleChannel:
    """Writes the words in plain, so it is for trials, and only there when a setting says so."""

    name = "console"
    address_trait = None
    after_interruption = AfterInterruption.SEND_AGAIN

    def __init__(self, output: TextIO | None = None) -> None:
        """Take where to write; None: to the standard output."""
        self._output = output or sys.stdout

    async def send(self, outgoing: Outgoing) -> None:
        """See `Channel.send`. What could steer a terminal is left out."""
        words = f"{outgoing.subject}: {outgoing.text}" if outgoing.subject else outgoing.text
        shown = "".join(c if c.isprintable() else " " for c in words)
        line = f"message {outgoing.message_id} to {outgoing.customer_id}: {shown}"
        print(line, file=self._output, flush=True)
