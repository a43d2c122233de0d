"""Uvicorn around the application: the only place that listens to the public."""

import signal
import socket
import sys
from typing import Any

import uvicorn

from nudgepay.errors import UsageError
from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudgepay.web.bounded_head import BoundedHead

PATIENCE_SECONDS = 2.5
"""How long a request lets the database take over one statement: with a free connection to wait for, a dead one to
find out and a new one to open, every answer leaves within ten seconds."""


def serve(runtime: Runtime, *, host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT; open requests are finished for at most 8 s.

    Raises UsageError when the port cannot be listened on.
    """
    listening = _listen(host, port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # uvicorn raises it once more when it has ended well
    uvicorn.Server(server_config(runtime, host=host, port=port)).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(f"port {port} on {host} cannot be listened on ({error.strerror}); choose another") from error


def server_config(runtime: Runtime, *, host: str, port: int, **changes: Any) -> uvicorn.Config:
    """How we listen: no server header, no access log (tokens lie in paths), bounded keep-alive.

    Forwarded headers are our own middleware's matter, so uvicorn reads none.
    """
    return uvicorn.Config(
        create_app(runtime),
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=15,
        timeout_graceful_shutdown=8,
        http=BoundedHead,
        ws="none",
        **changes,
    )
