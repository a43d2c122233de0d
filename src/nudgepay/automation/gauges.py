"""The queues as gauges, read at the moment of a scrape, by a reader that a hung database cannot make it wait for."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nudgepay import log
from nudgepay.automation.backlog import Waiting, read_backlog
from nudgepay.db import Database
from nudgepay.errors import OperationalError

PATIENCE_SECONDS = 3.0
_log = log.get("automation")


class QueueCollector(Collector):
    """`nudgepay_queue_depth`, `nudgepay_queue_oldest_age_seconds`, `nudgepay_webhook_backlog_age_seconds`.

    While the database is away they are absent, never stale, and `nudgepay_queue_read_success` is 0.
    """

    def __init__(self, db: Database) -> None:
        """`db` is this collector's own; one reading runs at a time."""
        self._db = db
        self._reader = ThreadPoolExecutor(max_workers=1, thread_name_prefix="gauges")
        self._reading: Future[list[Waiting]] | None = None

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample for each queue, after PATIENCE_SECONDS at most."""
        found = self._read()
        success = GaugeMetricFamily("nudgepay_queue_read_success", "1 when the queues could be read, else 0")
        success.add_metric([], float(found is not None))
        yield success
        depth = GaugeMetricFamily("nudgepay_queue_depth", "Rows waiting, by queue", labels=["queue"])
        age = GaugeMetricFamily(
            "nudgepay_queue_oldest_age_seconds", "Age of the oldest waiting row", labels=["queue"]
        )
        backlog = GaugeMetricFamily("nudgepay_webhook_backlog_age_seconds", "Age of the oldest unhandled event")
        for one in found or ():
            depth.add_metric([one.queue], one.count)
            age.add_metric([one.queue], one.oldest_seconds)
            if one.queue == "stripe_events":
                backlog.add_metric([], one.oldest_seconds)
        yield from (depth, age, backlog)

    def close(self) -> None:
        """Let go of the reader and its connection."""
        self._reader.shutdown(wait=False, cancel_futures=True)
        self._db.close()

    def _read(self) -> list[Waiting] | None:
        if self._reading is None:
            self._reading = self._reader.submit(self._ask)
        try:
            found = self._reading.result(timeout=PATIENCE_SECONDS)
        except NotYet:
            return None
        except OperationalError as error:
            _log.warning("queues_unread", error=type(error).__name__)
            found = None
        self._reading = None
        return found

    def _ask(self) -> list[Waiting]:
        with self._db.transaction() as session:
            return read_backlog(session)
