"""`/metrics` on a port of its own, never on the public one."""

import threading
from collections.abc import Callable

from prometheus_client import start_http_server

from nudgepay import metrics
from nudgepay.automation.gauges import QueueCollector
from nudgepay.errors import UsageError
from nudgepay.runtime import Runtime


def listen_for_scrapes(runtime: Runtime, *, port: int) -> Callable[[], None]:
    """Serve the metrics of this process; returns what stops it. Port 0 serves none.

    Raises UsageError when the port is taken.
    """
    if port == 0:
        return lambda: None
    metrics.REGISTRY.register(QueueCollector(runtime.db))
    try:
        server, thread = start_http_server(port, addr=runtime.settings.metrics_host, registry=metrics.REGISTRY)
    except OSError as error:
        raise UsageError(f"METRICS_PORT: {port} cannot be listened on ({error.strerror}); choose another") from error

    def stop() -> None:
        server.shutdown()
        server.server_close()
        if thread is not threading.current_thread():
            thread.join(timeout=5)

    return stop
