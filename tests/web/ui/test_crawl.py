"""A crawler that follows every link of every page: none is dead, and nothing at all has changed by looking."""

import html
import re
from collections import deque
from urllib.parse import urljoin, urlsplit

import pytest
from sqlalchemy import text

from nudgepay.db import Database
from nudgepay.nudges.previewing import LEADS_NOWHERE
from web.ui.desk import Desk

LINK = re.compile(r"""(?:href|src|hx-get)="([^"]+)\"""")
AT_MOST = 700
BOOKKEEPING = {"sessions"}
"""A session's last use is written down."""
FILES_THAT_LEFT = "('export.run', 'evidence.export', 'audit.export')"
"""So is what left as a file, for the auditor; nothing else is."""


def contents(db: Database) -> dict[str, str]:
    """A digest of every row of every table."""
    with db.transaction() as session:
        tables = session.scalars(
            text("SELECT table_name FROM information_schema.tables WHERE table_schema = 'public' ORDER BY 1")
        ).all()
        return {
            table: session.scalar(
                text(
                    f"SELECT coalesce(md5(string_agg(md5(t::text), '' ORDER BY t::text)), '') FROM \"{table}\" t"
                    + (f" WHERE action NOT IN {FILES_THAT_LEFT}" if table == "audit_events" else "")
                )
            )
            for table in tables
            if table not in BOOKKEEPING
        }


def shape(url: str) -> str:
    """The kind of page that a URL leads to: numbers and tokens are alike, so are the values of a query."""
    parts = urlsplit(url)
    path = re.sub(r"/(?=[^/]*\d)[^/]+", "/*", parts.path)
    return path + "?" + ",".join(sorted(re.findall(r"(?:^|&)([^=&]+)=", parts.query)))


def links_of(page: str, base: str) -> set[str]:
    """The links that lead to pages of ours."""
    found = {urljoin(base, html.unescape(link)) for link in LINK.findall(page)}
    ours = {url.partition("#")[0] for url in found if urlsplit(url).netloc == urlsplit(base).netloc}
    return {url for url in ours if LEADS_NOWHERE not in url}


@pytest.mark.timeout(300)
def test_every_link_leads_somewhere_and_looking_changes_nothing(lived: Desk) -> None:
    before = contents(lived.runtime.db)
    waiting = deque([("http://testserver/", ""), ("http://testserver/outbox", "")])
    seen: set[str] = set()
    per_shape: dict[str, int] = {}
    dead = {}
    while waiting and len(seen) < AT_MOST:
        url, where_from = waiting.popleft()
        if url in seen or per_shape.get(shape(url), 0) >= 4:
            continue
        seen.add(url)
        per_shape[shape(url)] = per_shape.get(shape(url), 0) + 1
        answer = lived.get(url)
        if answer.status_code not in {200, 303}:
            dead[url] = f"{answer.status_code} from {where_from}"
        elif answer.headers.get("content-type", "").startswith("text/html"):
            waiting += [(link, url) for link in sorted(links_of(answer.text, url))]
    assert dead == {}
    assert contents(lived.runtime.db) == before
    assert len(seen) > 30
