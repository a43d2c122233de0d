"""The invoice itself as a PDF: kept once for each invoice, at most 2 MB, for its reader."""

import hashlib
import re

from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import NotFound, UsageError
from nudgepay.invoices.models import Invoice, InvoiceDocument, new_token

MAX_BYTES = 2 * 1024 * 1024
_HEADER = re.compile(rb"%PDF-[12]\.\d")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")


class NotAPdf(UsageError):
    """The file is no PDF that can be kept."""


def attach_document(session: Session, invoice: Invoice, content: bytes, *, actor: str) -> InvoiceDocument:
    """Keep the PDF of an invoice; another one replaces it under the same link. Raises NotAPdf.

    A PDF begins with its version within the first 1,024 bytes and ends with %%EOF (ISO 32000-1, 7.5.2, 7.5.5,
    annex H).
    """
    if len(content) > MAX_BYTES:
        raise NotAPdf(f"the file has {len(content) / 2**20:.1f} MB; at most 2 MB can be kept: make it smaller")
    if not _HEADER.search(content[:1024]) or b"%%EOF" not in content[-1024:]:
        raise NotAPdf("the file is no complete PDF: save the invoice as PDF again")
    digest = hashlib.sha256(content).hexdigest()
    name = f"{_UNSAFE.sub('-', invoice.number).strip('-.')[:60] or 'invoice'}.pdf"
    known = session.get(InvoiceDocument, invoice.id, with_for_update=True)
    if known is not None and known.sha256 == digest:
        return known
    before = {"sha256": known.sha256} if known is not None else None
    document = known or InvoiceDocument(invoice_id=invoice.id, token=new_token())
    document.name, document.content, document.sha256, document.created_by = name, content, digest, actor
    session.add(document)
    audit.record(
        session,
        actor=actor,
        action="document.attach",
        subject=f"invoices:{invoice.id}",
        before=before,
        after={"sha256": digest, "bytes": len(content)},
    )
    session.flush()
    return document


def detach_document(session: Session, invoice: Invoice, *, actor: str) -> None:
    """Forget the PDF of an invoice; its link leads nowhere any more. Raises NotFound."""
    known = session.get(InvoiceDocument, invoice.id, with_for_update=True)
    if known is None:
        raise NotFound(f"invoice {invoice.number} has no PDF")
    session.delete(known)
    audit.record(
        session,
        actor=actor,
        action="document.detach",
        subject=f"invoices:{invoice.id}",
        before={"sha256": known.sha256},
    )
