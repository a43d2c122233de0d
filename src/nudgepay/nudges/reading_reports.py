"""Fates of letters, collected from where they can be read: a mailbox of returned mail, and the relay's own log."""

from collections import Counter
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.gateways.mailbox import IncomingMailbox
from nudgepay.gateways.postfix_log import PostfixLog
from nudgepay.gateways.report_parsing import read_message
from nudgepay.nudges.bounces import record_report

WATCHED = timedelta(days=6)
"""An accepted letter is looked for this long in the relay's log: it gives up after five days (RFC 5321 4.5.4.1)."""
MOST = 5_000


def read_mailbox(
    db: Database,
    box: IncomingMailbox,
    *,
    now: datetime,
    actor: str,
    should_stop: Callable[[], bool] = lambda: False,
) -> Counter[str]:
    """Take in every unread message; returns counts of what they were and what became of the letters.

    A message is marked after its transaction: killed in between, it is read again and changes nothing.
    Raises MailboxUnavailable.
    """
    counts: Counter[str] = Counter()
    for fetched in box.unread():
        if should_stop():
            break
        incoming = read_message(fetched.raw, source="mailbox")
        counts[incoming.kind] += 1
        for report in incoming.reports:
            with db.transaction() as session:
                counts[record_report(session, report, now=now, actor=actor)] += 1
        box.mark_read(fetched.key)
    return counts


def read_relay_log(db: Database, log: PostfixLog, *, now: datetime, actor: str) -> Counter[str]:
    """Ask the log about every letter that was accepted lately and has no further fate."""
    with db.transaction() as session:
        names = session.scalars(
            text(
                "(SELECT message_id FROM letters WHERE state = 'accepted' AND sending_at > :since"
                " ORDER BY sending_at DESC LIMIT :most) UNION ALL"
                " (SELECT message_id FROM mailings WHERE state = 'accepted' AND sending_at > :since"
                " ORDER BY sending_at DESC LIMIT :most)"
            ),
            {"since": now - WATCHED, "most": MOST},
        ).all()
    counts: Counter[str] = Counter()
    for report in log.reports(names) if names else ():
        with db.transaction() as session:
            counts[record_report(session, report, now=now, actor=actor)] += 1
    return counts
