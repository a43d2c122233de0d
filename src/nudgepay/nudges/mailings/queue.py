"""Wishing for a message: once for each thing that it is about."""

import uuid
from datetime import datetime
from typing import Any

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay.gateways.mail import ensure_address
from nudgepay.invoices.models import new_token
from nudgepay.nudges.mailings.models import Mailing
from nudgepay.nudges.mime import message_id


def enqueue(
    session: Session,
    *,
    kind: str,
    dedup_key: str,
    to_address: str,
    from_email: str,
    look_at: datetime,
    client_id: int | None = None,
    contact_id: int | None = None,
    details: dict[str, Any] | None = None,
) -> uuid.UUID | None:
    """Write the wish; None when the same (`dedup_key`) was written before. Raises BadAddress."""
    mailing_id = uuid.uuid4()
    return session.scalar(
        insert(Mailing)
        .values(
            id=mailing_id,
            kind=kind,
            dedup_key=dedup_key,
            client_id=client_id,
            contact_id=contact_id,
            to_address=ensure_address(to_address),
            token=new_token(),
            message_id=message_id(mailing_id, 1, from_email),
            details=details or {},
            look_at=look_at,
        )
        .on_conflict_do_nothing(index_elements=["dedup_key"])
        .returning(Mailing.id)
    )
