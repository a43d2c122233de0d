"""Saved mappings: how one file of a kind was read, kept for the next one of its kind."""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay import audit
from nudgepay.errors import NotFound, UsageError
from nudgepay.invoices.importing.columns import ensure_fields
from nudgepay.invoices.importing.layouts import PLAIN, Layout, presets
from nudgepay.invoices.importing.recognising import mapped
from nudgepay.invoices.models import ImportMapping
from nudgepay.invoices.validation import clean_line, clean_locale
from nudgepay.money import ensure_currency

MAX_NAME = 64
INVOICES = "invoices"


class NameTaken(UsageError):
    """The name is that of a known export, or of a mapping for files of another kind."""


def save_mapping(
    session: Session,
    *,
    name: str,
    columns: Mapping[str, str],
    actor: str,
    locale: str | None = None,
    currency: str | None = None,
    kind: str = INVOICES,
    check: Callable[[Mapping[str, str]], None] = ensure_fields,
) -> ImportMapping:
    """Keep a mapping from column names to fields; one with this name is replaced.

    `check` knows the fields of the kind. Raises UsageError for an empty mapping or an unknown field, and NameTaken.
    """
    name = clean_line(name, "name", longest=MAX_NAME)
    if name == PLAIN or name in presets():
        raise NameTaken(f"{name!r} is the name of a known export; choose another")
    if not columns:
        raise UsageError("a mapping needs at least one --map COLUMN=FIELD")
    check(columns)
    found = session.scalar(select(ImportMapping).where(ImportMapping.name == name).with_for_update())
    if found is not None and found.kind != kind:
        raise NameTaken(f"{name!r} is the name of a mapping for files of another kind; choose another")
    before = None if found is None else _summary(found)
    if found is None:
        found = ImportMapping(kind=kind, name=name, created_by=actor)
        session.add(found)
    found.columns = dict(columns)
    found.locale = clean_locale(locale) if locale else None
    found.currency = ensure_currency(currency) if currency else None
    session.flush()
    audit.record(
        session,
        actor=actor,
        action="import_mapping.save",
        subject=f"import_mappings:{found.id}",
        before=before,
        after=_summary(found),
    )
    return found


def delete_mapping(session: Session, *, name: str, actor: str, kind: str = INVOICES) -> None:
    """Forget a mapping; raises NotFound."""
    found = mapping_by_name(session, name, kind=kind)
    session.delete(found)
    audit.record(
        session,
        actor=actor,
        action="import_mapping.delete",
        subject=f"import_mappings:{found.id}",
        before=_summary(found),
    )


def mapping_by_name(session: Session, name: str, *, kind: str = INVOICES) -> ImportMapping:
    """The mapping with this name; raises NotFound."""
    found = session.scalar(select(ImportMapping).where(ImportMapping.name == name, ImportMapping.kind == kind))
    if found is None:
        raise NotFound(f"there is no mapping {name!r}; see: nudgepay mappings list")
    return found


def mappings(session: Session, *, kind: str = INVOICES) -> list[ImportMapping]:
    """Every saved mapping for files of this kind, by name."""
    query = select(ImportMapping).where(ImportMapping.kind == kind).order_by(ImportMapping.name)
    return list(session.scalars(query))


def saved_layouts(session: Session) -> list[Layout]:
    """Every saved mapping as a layout that a file can be read with."""
    return [mapped(one.name, one.columns, locale=one.locale, currency=one.currency) for one in mappings(session)]


def _summary(found: ImportMapping) -> dict[str, Any]:
    return {"name": found.name, "columns": found.columns, "locale": found.locale, "currency": found.currency}
