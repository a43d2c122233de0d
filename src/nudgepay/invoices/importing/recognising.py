"""Which record is the header, and which layout reads the file: what the operator said, else what the columns say."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.cells import Record
from nudgepay.invoices.importing.columns import ensure_fields, missing, resolve
from nudgepay.invoices.importing.faults import RowFault, Unreadable
from nudgepay.invoices.importing.layouts import PLAIN, Layout, plain, preset, presets
from nudgepay.invoices.importing.reading import header_names

TITLE_ROWS = 25
"""How far below the top a header is looked for: reports begin with a title."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the operator said about a file. `mapping` is the file's names to fields; the rest are names."""

    mapping: Mapping[str, str] = field(default_factory=dict)
    saved: str | None = None
    preset: str | None = None
    sheet: str | None = None


@dataclass(frozen=True, slots=True)
class Recognised:
    """The layout, the header it was found by, the records below it, and a remark for the report."""

    layout: Layout
    names: Sequence[str]
    rows: Iterator[Record]
    remark: str = ""


def mapped(
    name: str, mapping: Mapping[str, str], *, locale: str | None = None, currency: str | None = None
) -> Layout:
    """The layout of a mapping from the file's column names to fields; raises UsageError for an unknown field."""
    ensure_fields(mapping)
    columns: dict[str, list[str]] = {}
    for column, target in mapping.items():
        columns.setdefault(target, []).append(column)
    title = "a file with columns by name" if name == PLAIN else f"the saved mapping {name}"
    return Layout(name, title, columns, locale=locale, currency=currency)


def recognise(records: Iterable[Record], *, wishes: Wishes, saved: Sequence[Layout]) -> Recognised:
    """Find header and layout among the first records. Raises UsageError when required columns are missing."""
    source = iter(records)
    first = list(islice(source, TITLE_ROWS))
    if not first:
        raise Unreadable(RowFault(1, "", "empty", "the file holds no table"))
    chosen = _said(wishes, saved)
    fitting = [layout for layout in saved if _header_of(first, layout) is not None]
    remark = ""
    if chosen is None and not wishes.mapping:
        chosen = fitting[0] if len(fitting) == 1 else _by_columns(first)
        if len(fitting) > 1:
            several = ", ".join(layout.name for layout in fitting)
            remark = f"The saved mappings {several} fit this file; choose one with --mapping NAME."
            if chosen is None:
                raise UsageError(remark)
    layout = chosen or mapped(PLAIN, wishes.mapping)
    at = _header_of(first, layout) or 0
    names = header_names(first[at])
    return Recognised(layout, names, chain(first[at + 1 :], source), remark)


def _said(wishes: Wishes, saved: Sequence[Layout]) -> Layout | None:
    if sum((bool(wishes.mapping), wishes.saved is not None, wishes.preset not in {None, PLAIN})) > 1:
        raise UsageError("say only one of --map, --mapping and --as")
    if wishes.saved is not None:
        found = next((layout for layout in saved if layout.name == wishes.saved), None)
        if found is None:
            raise UsageError(f"--mapping {wishes.saved}: there is none; see: nudgepay mappings list")
        return found
    if wishes.preset == PLAIN and not wishes.mapping:
        return mapped(PLAIN, {})
    return None if wishes.preset in {None, PLAIN} else preset(str(wishes.preset))


def _by_columns(first: Sequence[Record]) -> Layout | None:
    return next((layout for layout in presets().values() if _header_of(first, layout) is not None), None)


def _header_of(first: Sequence[Record], layout: Layout) -> int | None:
    """The place of the first record that has every column of the layout."""
    return next((at for at, record in enumerate(first) if _fits(record, layout)), None)


def _fits(record: Record, layout: Layout) -> bool:
    names = [str(cell).strip() for cell in record.cells]
    if layout.recognised_by:
        known = {plain(name) for name in names}
        return all(known & {plain(spelling) for spelling in spellings} for spellings in layout.recognised_by)
    wanted = [column for columns in layout.columns.values() for column in columns]
    given = ("currency",) if layout.currency else ()
    return set(wanted) <= set(names) and not missing(resolve(layout, names), given=given)
