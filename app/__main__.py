"""``python -m app`` is ``tidings``: how a process starts another one of ours."""

from app.cli import main

main()
