"""The application over one runtime, as a server takes it; importing this imports the whole application."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from nudgepay.automation.listener import listen_for_scrapes
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudgepay.web.listening import configured

PATIENCE_SECONDS = 2.5
"""How long a request lets the database take over one statement: with a free connection to wait for, a dead one to
find out and a new one to open, every answer leaves within ten seconds."""


@contextmanager
def scraped(runtime: Runtime) -> Iterator[ASGIApp]:
    """The application, and its metrics on their own port for as long."""
    stop = listen_for_scrapes(runtime, port=runtime.settings.metrics_port)
    try:
        yield create_app(runtime)
    finally:
        stop()


def server_config(runtime: Runtime, *, host: str, port: int, **changes: Any) -> uvicorn.Config:
    """How we listen, around this application."""
    return configured(create_app(runtime), host=host, port=port, **changes)
