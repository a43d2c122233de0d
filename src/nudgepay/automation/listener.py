"""`/metrics` on a port of its own, never on the public one."""

import threading
from collections.abc import Callable, Iterable
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

from prometheus_client import make_wsgi_app

from nudgepay import metrics
from nudgepay.automation.gauges import QueueCollector
from nudgepay.db import Database
from nudgepay.errors import UsageError
from nudgepay.runtime import Runtime

if TYPE_CHECKING:
    from wsgiref.types import StartResponse, WSGIEnvironment

Application = Callable[["WSGIEnvironment", "StartResponse"], Iterable[bytes]]
SLOWEST_CLIENT_SECONDS = 10


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    timeout = SLOWEST_CLIENT_SECONDS

    def address_string(self) -> str:
        return str(self.client_address[0])

    def log_message(self, format: str, *args: Any) -> None:
        """A scrape every few seconds is no news."""


def listen_for_scrapes(runtime: Runtime, *, port: int) -> Callable[[], None]:
    """Serve the metrics of this process at `/metrics`; returns what stops it. Port 0 serves none.

    Raises UsageError when the port cannot be listened on.
    """
    if port == 0:
        return lambda: None
    try:
        server = _Server((runtime.settings.metrics_host, port), _Handler)
    except OSError as error:
        raise UsageError(
            f"METRICS_PORT: {port} on {runtime.settings.metrics_host} cannot be listened on ({error.strerror});"
            " choose another, or 0 for none"
        ) from error
    queues = QueueCollector(Database(runtime.db.url, pool_size=1, application="nudgepay metrics"))
    metrics.REGISTRY.register(queues)
    server.set_app(_only_metrics(make_wsgi_app(metrics.REGISTRY)))
    thread = threading.Thread(target=server.serve_forever, name="metrics", daemon=True)
    thread.start()

    def stop() -> None:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
        metrics.REGISTRY.unregister(queues)
        queues.close()

    return stop


def _only_metrics(exposition: Application) -> Application:
    def application(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ.get("PATH_INFO") != "/metrics" or environ.get("REQUEST_METHOD") not in {"GET", "HEAD"}:
            start_response("404 Not Found", [("Content-Type", "text/plain")])
            return [b"Not found\n"]
        return exposition(environ, start_response)

    return application
