"""Finds the line that says what was wrong in the output of PostgreSQL's programs."""

from pathlib import Path

MARKS = ("FATAL:", "PANIC:", "error:")
TAIL_BYTES = 8192


def complaint(output: str) -> str:
    """The last line that names an error, else the last line, else nothing."""
    lines = output.strip().splitlines()
    named = [line for line in lines if any(mark in line for mark in MARKS)]
    return (named or lines or ["nothing was said"])[-1].strip()


def complaint_in(log: Path) -> str:
    """The same from the end of a log file."""
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - TAIL_BYTES))
        return complaint(file.read().decode(errors="replace"))
