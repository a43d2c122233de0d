"""`POST /audit/export`, `GET /audit/download`: the log as a file, with all that recomputing its chain takes."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import parse_qsl

from fastapi import APIRouter, Form, Query
from sqlalchemy import Text, cast, func, select, text
from starlette.responses import Response, StreamingResponse

from nudgepay import audit
from nudgepay.access.permissions import Permission
from nudgepay.audit import AuditEvent, AuditSeal
from nudgepay.audit.canonical import instant
from nudgepay.audit.listing import AuditFilter, narrowed
from nudgepay.errors import UsageError
from nudgepay.invoices.exporting.cells import csv_text
from nudgepay.runtime import Runtime
from nudgepay.web.ui.audit.listing import filter_of, kept_of
from nudgepay.web.ui.callers import Caller, allowed_to_programs
from nudgepay.web.ui.page import Page, allowed

router = APIRouter()
TYPES = {"csv": "text/csv; charset=utf-8", "jsonl": "application/x-ndjson; charset=utf-8"}
COLUMNS = (
    "id",
    "at",
    "actor",
    "action",
    "subject",
    "origin",
    "origin_commitment",
    "before",
    "after",
    "seq",
    "digest",
    "hash",
)
MARK = "\ufeff"
CHUNK = 64 * 1024
BATCH = 1_000
NAMES = ("who", "action", "subject", "since", "until")


@router.post("/audit/export")
def export(
    page: Annotated[Page, allowed(Permission.AUDIT_READ)],
    format: Annotated[str, Form(max_length=10)] = "csv",  # the field's name
    query: Annotated[str, Form(max_length=2000)] = "",
) -> Response:
    """The records that the list shows, oldest first, as CSV or as JSON lines."""
    if format not in TYPES:
        raise UsageError("format: say csv or jsonl")
    given = dict(parse_qsl(query))
    kept = kept_of({name: given.get(name, "") for name in NAMES})
    with page.runtime.db.transaction() as session:
        wanted = filter_of(session, kept, page)
        told = {"format": format} | {name: value for name, value in kept.items() if value}
        audit.record(session, actor=page.actor, action="audit.export", subject="table:audit_events", after=told)
    return _answer(page.runtime, wanted, format, page.now)


@router.get("/audit/download")
def download(
    caller: Annotated[Caller, allowed_to_programs(Permission.AUDIT_READ)],
    format: Annotated[str, Query(max_length=10)] = "jsonl",
) -> Response:
    """The whole log, for a program with a token."""
    if format not in TYPES:
        raise UsageError("format: say csv or jsonl")
    with caller.runtime.db.transaction() as session:
        after = {"format": format}
        audit.record(session, actor=caller.actor, action="audit.export", subject="table:audit_events", after=after)
    return _answer(caller.runtime, AuditFilter(), format, caller.now)


def _answer(runtime: Runtime, wanted: AuditFilter, kind: str, now: datetime) -> Response:
    lines = _csv if kind == "csv" else _json_lines
    headers = {"Content-Disposition": f'attachment; filename="audit-{now:%Y-%m-%d}.{kind}"'}
    return StreamingResponse(_chunks(lines(runtime, wanted)), media_type=TYPES[kind], headers=headers)


def _rows(runtime: Runtime, wanted: AuditFilter) -> Iterator[Mapping[str, Any]]:
    """Through a cursor on the server: memory holds one batch."""
    query = narrowed(_QUERY, wanted).order_by(AuditEvent.at, AuditEvent.id)
    with runtime.db.transaction() as session:
        session.execute(text("SET TRANSACTION READ ONLY"))
        with session.connection().execute(query, execution_options={"yield_per": BATCH}) as result:
            for row in result:
                yield row._asdict()


_QUERY = (
    select(
        AuditEvent.id,
        AuditEvent.at,
        AuditEvent.actor,
        AuditEvent.action,
        AuditEvent.subject,
        AuditEvent.origin,
        func.encode(AuditEvent.origin_commitment, "hex").label("origin_commitment"),
        cast(AuditEvent.before, Text).label("before"),
        cast(AuditEvent.after, Text).label("after"),
        AuditSeal.seq,
        func.encode(AuditSeal.digest, "hex").label("digest"),
        func.encode(AuditSeal.hash, "hex").label("hash"),
    )
    .select_from(AuditEvent)
    .outerjoin(AuditSeal, AuditSeal.event_id == AuditEvent.id)
)


def _csv(runtime: Runtime, wanted: AuditFilter) -> Iterator[str]:
    written = io.StringIO(newline="")
    writer = csv.writer(written, lineterminator="\r\n")
    yield MARK
    writer.writerow(COLUMNS)
    for row in _rows(runtime, wanted):
        writer.writerow([csv_text(value) for value in _plain(row).values()])
        yield written.getvalue()
        written.seek(0)
        written.truncate()
    yield written.getvalue()


def _json_lines(runtime: Runtime, wanted: AuditFilter) -> Iterator[str]:
    for row in _rows(runtime, wanted):
        yield json.dumps(_plain(row), ensure_ascii=False) + "\n"


def _plain(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: instant(row[name]) if name == "at" else row[name] for name in COLUMNS}


def _chunks(parts: Iterator[str]) -> Iterator[bytes]:
    """A stream that breaks off, and never ends well, when the database does."""
    waiting: list[str] = []
    size = 0
    for part in parts:
        waiting.append(part)
        size += len(part)
        if size > CHUNK:
            yield "".join(waiting).encode()
            waiting, size = [], 0
    yield "".join(waiting).encode()
