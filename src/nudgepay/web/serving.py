"""Uvicorn around the application: the only place that listens to the public."""

from typing import Any

import uvicorn

from nudgepay.runtime import Runtime
from nudgepay.web.app import create_app
from nudgepay.web.bounded_head import BoundedHead


def serve(runtime: Runtime, *, host: str, port: int) -> None:
    """Answer until SIGTERM or SIGINT; open requests are finished for at most 10 s."""
    uvicorn.Server(server_config(runtime, host=host, port=port)).run()


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
        timeout_graceful_shutdown=10,
        http=BoundedHead,
        ws="none",
        **changes,
    )
