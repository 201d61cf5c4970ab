"""How the processes of the service write their logs: lines for people, or one JSON object per line.

Everything goes to standard error, where a process supervisor finds it. Whoever drives a search binds `search`,
`trial`, `attempt` and `job` (`structlog.contextvars.bound_contextvars`); each line written meanwhile carries them,
whichever module wrote it.
"""

from __future__ import annotations

import logging
import re
import sys
from typing import TYPE_CHECKING, Final

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, Processor, WrappedLogger

    from api.settings import LogFormat, LogLevel

CHATTY: Final = ("alembic", "httpx", "httpcore", "matplotlib", "ax", "filelock", "uvicorn.access")
"""Libraries whose everyday lines are nobody's business; their warnings are shown."""

_SECRETS: Final = (
    (re.compile(r"\bbsk_[A-Za-z0-9]+_[\w-]+"), "bsk_…"),
    (re.compile(r"(\w+://[^\s:/@]*):[^\s@/]+@"), r"\1:…@"),
    (re.compile(r"(?i)(authorization['\"]?\s*[:=]\s*['\"]?(?:bearer|basic)?\s*)[^\s'\",}]+"), r"\1…"),
)


def configure_logging(log_format: LogFormat = "console", log_level: LogLevel = "info") -> None:
    """Send the logs of this process to standard error. Call it once, at the start of a process.

    Keys of the service and passwords inside addresses are blacked out, wherever they appear.
    """
    last: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if log_format == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    always: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=always,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,  # as text, so that nothing in it escapes the next one
                hide_secrets,
                last,
            ],
        )
    )
    logging.basicConfig(level=log_level.upper(), handlers=[handler], force=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *always,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    logging.captureWarnings(True)
    for name in CHATTY:
        logging.getLogger(name).setLevel(logging.WARNING)


def hide_secrets(logger: WrappedLogger, method: str, event: EventDict) -> EventDict:
    """Black out keys, passwords and tokens in every text of a log line."""
    del logger, method
    return {name: _hidden(value) if isinstance(value, str) else value for name, value in event.items()}


def _hidden(text: str) -> str:
    for pattern, instead in _SECRETS:
        text = pattern.sub(instead, text)
    return text
