"""A Postfix log as a record of acceptance: cleanup names the Message-ID, qmgr takes over the queue file.

Reads PATH and, when it is there and not compressed, PATH.1. Understands RFC 3339 and traditional syslog times.
"""

import re
from collections.abc import Collection, Iterator
from datetime import UTC, datetime
from pathlib import Path

from nudgepay import clock
from nudgepay.gateways.mail import DeliveryReport, Fate, Finding

LINE = re.compile(
    r"^(?P<at>\d{4}-\d\d-\d\dT\S+|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d) \S+ "
    r"postfix(?:[-\w]*)/(?P<daemon>[\w/-]+)\[\d+\]: (?P<queue>[0-9A-Za-z]{6,}): (?P<rest>.*)$"
)
DELIVERY = re.compile(r"to=<(?P<to>[^>]*)>,.* dsn=(?P<dsn>[245]\.\d{1,3}\.\d{1,3}), status=(?P<status>sent|bounced) ")
FATES: dict[str, Fate] = {"sent": "delivered", "bounced": "bounced"}
SOURCE = "postfix"


class PostfixLog:
    """Says `absent` only when the log reaches from before the letter to after it."""

    def __init__(self, path: Path) -> None:
        """`path` is the relay's live log, readable by this process."""
        self._path = path

    def find(self, message_id: str, *, since: datetime) -> Finding:
        """`accepted` with the time at which the queue took it over; see the class for `absent`."""
        queues: set[str] = set()
        first: datetime | None = None
        last: datetime | None = None
        try:
            for match in self._lines():
                at = _instant(match["at"], since)
                first, last = first or at, at
                if match["daemon"] == "cleanup" and match["rest"] == f"message-id={message_id}":
                    queues.add(match["queue"])
                elif match["queue"] in queues and match["rest"].endswith("(queue active)"):
                    return Finding("accepted", at=at, source=SOURCE)
        except OSError:
            return Finding("cannot_tell", source=SOURCE)
        reaches = first is not None and last is not None and first <= since <= last
        return Finding("absent" if reaches and not queues else "cannot_tell", source=SOURCE)

    def reports(self, message_ids: Collection[str]) -> Iterator[DeliveryReport]:
        """What the next hop said about these letters, in the log's order; none while the log cannot be read."""
        names = {f"message-id={name}": name for name in message_ids}
        queues: dict[str, str] = {}
        try:
            for match in self._lines():
                if match["daemon"] == "cleanup" and match["rest"] in names:
                    queues[match["queue"]] = names[match["rest"]]
                elif (name := queues.get(match["queue"])) and (told := DELIVERY.match(match["rest"])) is not None:
                    yield DeliveryReport(
                        message_id=name,
                        fate=FATES[told["status"]],
                        recipient=told["to"],
                        status=told["dsn"],
                        at=_instant(match["at"], clock.now()),
                        source=SOURCE,
                    )
        except OSError:
            return

    def _lines(self) -> Iterator[re.Match[str]]:
        older = self._path.with_name(f"{self._path.name}.1")
        for path in (older, self._path):
            if path == older and not older.exists():
                continue
            with path.open(encoding="utf-8", errors="replace") as file:
                for line in file:
                    if (match := LINE.match(line)) is not None:
                        yield match


def _instant(text: str, near: datetime) -> datetime:
    """The line's time in UTC; a traditional one names no year and no zone: this host's, at most half a year off."""
    if text[0].isdigit():
        return datetime.fromisoformat(text).astimezone(UTC)
    local = near.astimezone()
    found = datetime.strptime(f"{local.year} {text}", "%Y %b %d %H:%M:%S").replace(tzinfo=local.tzinfo)
    if (found - local).days > 183:
        found = found.replace(year=local.year - 1)
    elif (local - found).days > 183:
        found = found.replace(year=local.year + 1)
    return found.astimezone(UTC)
