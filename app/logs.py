"""How processes log: structlog, readable on a terminal and JSON lines elsewhere, to stderr."""

import logging
import sys

import structlog
from structlog.typing import Processor

from app.settings import Settings

_READABLE: tuple[Processor, ...] = (
    # Not the pretty traceback: it would show local variables, bodies among them.
    structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
)
_JSON_LINES: tuple[Processor, ...] = (
    structlog.processors.format_exc_info,
    structlog.processors.JSONRenderer(),
)


def configure_logs(settings: Settings, process: str) -> None:
    """Set up this process's log. Nothing that is logged holds a body or a query string."""
    readable = settings.log_format == "console" or (
        settings.log_format == "auto" and sys.stderr.isatty()
    )
    enrich: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    render = _READABLE if readable else _JSON_LINES
    structlog.configure(
        processors=[*enrich, *render],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[settings.log_level.upper()]
        ),
        # A line in one write, for processes share the file.
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)
    # What libraries say through the standard library, from warnings on.
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*enrich, structlog.stdlib.add_logger_name],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
