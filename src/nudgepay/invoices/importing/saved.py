"""Saved mappings: how one file of a kind was read, kept for the next one of its kind."""

from collections.abc import Mapping
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


def save_mapping(
    session: Session,
    *,
    name: str,
    columns: Mapping[str, str],
    actor: str,
    locale: str | None = None,
    currency: str | None = None,
) -> ImportMapping:
    """Keep a mapping from column names to fields; one with this name is replaced.

    Raises UsageError for an empty mapping, an unknown field, or the name of a known export.
    """
    name = clean_line(name, "name", longest=MAX_NAME)
    if name == PLAIN or name in presets():
        raise UsageError(f"{name!r} is the name of a known export; choose another")
    if not columns:
        raise UsageError("a mapping needs at least one --map COLUMN=FIELD")
    ensure_fields(columns)
    found = session.scalar(select(ImportMapping).where(ImportMapping.name == name).with_for_update())
    before = None if found is None else _summary(found)
    if found is None:
        found = ImportMapping(name=name, created_by=actor)
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


def delete_mapping(session: Session, *, name: str, actor: str) -> None:
    """Forget a mapping; raises NotFound."""
    found = mapping_by_name(session, name)
    session.delete(found)
    audit.record(
        session,
        actor=actor,
        action="import_mapping.delete",
        subject=f"import_mappings:{found.id}",
        before=_summary(found),
    )


def mapping_by_name(session: Session, name: str) -> ImportMapping:
    """The mapping with this name; raises NotFound."""
    found = session.scalar(select(ImportMapping).where(ImportMapping.name == name))
    if found is None:
        raise NotFound(f"there is no mapping {name!r}; see: nudgepay mappings list")
    return found


def mappings(session: Session) -> list[ImportMapping]:
    """Every saved mapping by name."""
    return list(session.scalars(select(ImportMapping).order_by(ImportMapping.name)))


def saved_layouts(session: Session) -> list[Layout]:
    """Every saved mapping as a layout that a file can be read with."""
    return [mapped(one.name, one.columns, locale=one.locale, currency=one.currency) for one in mappings(session)]


def _summary(found: ImportMapping) -> dict[str, Any]:
    return {"name": found.name, "columns": found.columns, "locale": found.locale, "currency": found.currency}
