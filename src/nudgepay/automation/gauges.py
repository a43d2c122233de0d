"""What waits, asked of the rows at the moment of a scrape, in one bounded statement."""

from collections.abc import Iterator

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.errors import OperationalError

CAP = 10_000
"""Rows counted at most; a longer queue reads as this."""

_WAITING = """
SELECT 'reminders' AS queue, count(*), extract(epoch FROM clock_timestamp() - min(look_at))
  FROM (SELECT look_at FROM reminders WHERE state = 'planned' AND look_at <= clock_timestamp() AND held_reason IS NULL
         LIMIT :cap) AS due
UNION ALL
SELECT 'stripe_events', count(*), extract(epoch FROM clock_timestamp() - min(received_at))
  FROM (SELECT received_at FROM stripe_events WHERE handled_at IS NULL LIMIT :cap) AS events
UNION ALL
SELECT 'unknown_letters', count(*), extract(epoch FROM clock_timestamp() - min(sending_at))
  FROM (SELECT sending_at FROM letters WHERE state = 'unknown' LIMIT :cap) AS letters
UNION ALL
SELECT 'notices', count(*), extract(epoch FROM clock_timestamp() - min(created_at))
  FROM (SELECT created_at FROM notices WHERE resolved_at IS NULL LIMIT :cap) AS notices
"""


class QueueCollector(Collector):
    """`nudgepay_queue_depth`, `nudgepay_queue_oldest_age_seconds`, `nudgepay_webhook_backlog_age_seconds`."""

    def __init__(self, db: Database) -> None:
        """Asks `db` at each scrape; while it is down the series are absent, never stale."""
        self._db = db

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """One sample for each queue."""
        depth = GaugeMetricFamily("nudgepay_queue_depth", "Rows waiting, by queue", labels=["queue"])
        age = GaugeMetricFamily(
            "nudgepay_queue_oldest_age_seconds", "Age of the oldest waiting row", labels=["queue"]
        )
        backlog = GaugeMetricFamily("nudgepay_webhook_backlog_age_seconds", "Age of the oldest unhandled event")
        try:
            with self._db.transaction() as session:
                session.execute(text("SET LOCAL statement_timeout = '2s'"))
                rows = session.execute(text(_WAITING), {"cap": CAP}).all()
        except OperationalError:
            return
        for queue, count, oldest in rows:
            depth.add_metric([queue], count)
            age.add_metric([queue], max(0.0, float(oldest or 0)))
            if queue == "stripe_events":
                backlog.add_metric([], max(0.0, float(oldest or 0)))
        yield from (depth, age, backlog)
