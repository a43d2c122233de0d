"""What people said of the columns of a bank's CSV file, kept for the next one of that bank."""

from collections.abc import Mapping

from sqlalchemy.orm import Session

from nudgepay.invoices.importing import saved
from nudgepay.invoices.models import ImportMapping
from nudgepay.payments.statements.bank_csv import ensure_fields
from nudgepay.payments.statements.layouts import Layout, named_by_person

KIND = "statement"


def save_layout(
    session: Session, *, name: str, columns: Mapping[str, str], actor: str, locale: str = "", currency: str = ""
) -> None:
    """Keep them under a name; one with this name is replaced. Raises UsageError and NameTaken."""
    saved.save_mapping(
        session,
        name=name,
        columns=columns,
        locale=locale or None,
        currency=currency or None,
        actor=actor,
        kind=KIND,
        check=ensure_fields,
    )


def forget_layout(session: Session, *, name: str, actor: str) -> None:
    """Forget one; files that were read by it stay as they are. Raises NotFound."""
    saved.delete_mapping(session, name=name, actor=actor, kind=KIND)


def saved_mappings(session: Session) -> list[ImportMapping]:
    """Every one by name."""
    return saved.mappings(session, kind=KIND)


def saved_layouts(session: Session) -> list[Layout]:
    """Every one as a layout that a file can be read with."""
    return [
        named_by_person(one.name, one.columns, locale=one.locale, currency=one.currency)
        for one in saved_mappings(session)
    ]
