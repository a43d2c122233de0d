"""One record: cleaned and bounded, so that nobody floods the log or poisons it through a field."""

import hashlib
import json
from contextvars import ContextVar
from typing import Any

from sqlalchemy.orm import Session

from nudgepay.audit.models import AuditEvent

LONGEST = {"actor": 200, "action": 100, "subject": 300, "origin": 300}
LONGEST_VALUE = 2_000
LARGEST_DETAILS = 16_384
"""Bytes that `before` and `after` may have each."""
present_origin: ContextVar[str | None] = ContextVar("audit_origin", default=None)


def record(
    session: Session,
    *,
    actor: str,
    action: str,
    subject: str,
    origin: str | None = None,
    before: dict[str, Any] | None = None,
    after: dict[str, Any] | None = None,
) -> None:
    """Write one audit row into the caller's transaction.

    `actor` is `cli:USER`, `job:NAME`, `payer` or an operator; `action` is `noun.verb`;
    `subject` is `table:id`. Where the act came from is known from the edge; `origin` says more about it.
    """
    known = "; ".join(part for part in (origin, present_origin.get()) if part)
    session.add(
        AuditEvent(
            actor=bounded(actor, LONGEST["actor"]),
            action=bounded(action, LONGEST["action"]),
            subject=bounded(subject, LONGEST["subject"]),
            origin=bounded(known, LONGEST["origin"]) or None,
            before=_details(before),
            after=_details(after),
        )
    )


def bounded(text: str, most: int) -> str:
    """The text on one line, without what no terminal or database could carry, and no longer than `most`."""
    cut = text if len(text) <= most else text[: most - 1] + "…"
    if not cut.isprintable():
        cut = "".join(sign if sign.isprintable() else "\ufffd" for sign in cut)
    return cut


def _details(given: dict[str, Any] | None) -> dict[str, Any] | None:
    if given is None:
        return None
    cleaned: dict[str, Any] = _cleaned(given)
    written = json.dumps(cleaned, ensure_ascii=False).encode()
    if len(written) <= LARGEST_DETAILS:
        return cleaned
    return {"left_out_bytes": len(written), "sha256": hashlib.sha256(written).hexdigest()}


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {_text(str(name)): _cleaned(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_cleaned(one) for one in value]
    return _text(value) if isinstance(value, str) else value


def _text(value: str) -> str:
    cut = value if len(value) <= LONGEST_VALUE else value[: LONGEST_VALUE - 1] + "…"
    return cut.replace("\0", "\ufffd").encode("utf-8", "replace").decode()
