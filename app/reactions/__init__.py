"""What follows from events: the reactor, timers, and the processes that join the modules."""
