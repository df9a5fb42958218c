"""The composition root: the only place that wires things. Nothing connects at import.

A part for each thing that processes and commands want, for each of them loads what it needs and no
more: a command that appends is not to wait for the API's framework.
"""
