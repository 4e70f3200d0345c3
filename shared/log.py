"""Structured logs (structlog), JSON for machines or console for people, with secrets taken out by name."""

import logging
import re
import sys
from collections.abc import MutableMapping
from contextlib import suppress
from typing import Any, TextIO

import structlog

REDACTED = "***"
_SECRET_NAME = re.compile(
    r"authorization|cookie|password|passwd|secret|token|api[-_]?key|private[-_]?key|signature|credential",
    re.IGNORECASE,
)
_SECRET_TEXT = re.compile(
    r"(?i)(bearer\s+)[a-z0-9._~+/=-]+|(api_key=)[^&\s\"']+|\bak_[0-9A-Za-z]{8,}|\beyJ[0-9A-Za-z_-]+\.[0-9A-Za-z_.-]+"
)

LogEvent = MutableMapping[str, Any]


def redact(_logger: object, _method: str, event: LogEvent) -> LogEvent:
    """A structlog processor: values of secret-sounding fields, and secrets inside texts, become `***`."""
    for name, value in event.items():
        if _SECRET_NAME.search(name):
            event[name] = REDACTED
        elif isinstance(value, str):
            event[name] = redact_text(value)
    return event


def redact_text(text: str) -> str:
    return _SECRET_TEXT.sub(lambda found: f"{found[1] or found[2] or ''}{REDACTED}", text)


class _Lines:
    """Failure policy: a line that cannot be written (a full disk, a reader that is gone) is lost, and whatever it is about goes on."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def msg(self, line: str) -> None:
        with suppress(OSError):
            self._stream.write(line + "\n")
            self._stream.flush()

    debug = info = warning = error = critical = fatal = exception = msg


def configure_logging(service: str, level: str, form: str, *extra: structlog.typing.Processor) -> None:
    """`form` is `json` or `console`. `extra` processors see the redacted event (the worker keeps its last lines so)."""
    processors: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        lambda _logger, _method, event: {**event, "service": service},
        redact,
        *extra,
    ]
    renderer: structlog.typing.Processor = (
        structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
        if form == "console"
        else structlog.processors.JSONRenderer()
    )
    structlog.configure(
        processors=[*processors, renderer],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=lambda *_names: _Lines(sys.stderr),
        cache_logger_on_first_use=True,
    )
    _adopt_standard_logging(processors, renderer, level)


def _adopt_standard_logging(
    processors: list[structlog.typing.Processor], renderer: structlog.typing.Processor, level: str
) -> None:
    """Libraries that use `logging` (aiohttp, asyncio) come out in the same form, from warnings upward."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=processors,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    handler.addFilter(_is_news)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(max(logging.WARNING, logging.getLevelNamesMapping()[level.upper()]))


def _is_news(record: logging.LogRecord) -> bool:
    """Not what strangers send to a port that is no HTTP: it is answered, and would push everything else out of the log."""
    error = record.exc_info[1] if record.exc_info else None
    return type(error).__module__ != "aiohttp.http_exceptions"
