"""Uvicorn, and how we listen: the only place that listens to the public. The application comes behind it."""

import signal
import socket
import sys
from typing import Any

import uvicorn
from starlette.types import ASGIApp

from nudgepay.errors import UsageError
from nudgepay.web.bounded_head import BoundedHead
from nudgepay.web.opening import Opening, Site


def serve(site: Site, *, host: str, port: int) -> None:
    """Listen, load the site behind it, answer until SIGTERM or SIGINT; open requests are finished for at most 8 s.

    Raises UsageError when the port cannot be listened on, and whatever kept the site from opening.
    """

    def give_up() -> None:
        server.should_exit = True

    listening = _listen(host, port)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))  # uvicorn raises it once more when it has ended well
    opening = Opening(site, give_up=give_up)
    server = uvicorn.Server(configured(opening, host=host, port=port))
    try:
        server.run(sockets=[listening])
    finally:
        opening.close()
    if opening.failure is not None:
        raise opening.failure


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise UsageError(f"port {port} on {host} cannot be listened on ({error.strerror}); choose another") from error


def configured(app: ASGIApp, *, host: str, port: int, **changes: Any) -> uvicorn.Config:
    """How we listen: no server header, no access log (tokens lie in paths), bounded keep-alive.

    Forwarded headers are our own middleware's matter, so uvicorn reads none.
    """
    return uvicorn.Config(
        app,
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
