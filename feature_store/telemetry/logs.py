"""Structured logs: one JSON object a line on standard error, with the process's name."""

import logging
import sys

import structlog


def configure_logging(process: str, level: str) -> None:
    """Send structlog's and the standard library's records to standard error as JSON lines."""
    structlog.contextvars.bind_contextvars(process=process)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(
                structlog.tracebacks.ExceptionDictTransformer(show_locals=False)
            ),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )
    logging.basicConfig(
        level=level.upper(),
        stream=sys.stderr,
        format=f'{{"process":"{process}","logger":"%(name)s","level":"%(levelname)s","event":"%(message)s"}}',
    )
