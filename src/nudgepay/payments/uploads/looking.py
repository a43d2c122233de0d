"""A first look at a file, without reading all of it: its columns, some of its rows, and what it looks like."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.cells import Record, as_text
from nudgepay.invoices.importing.columns import missing, resolve
from nudgepay.invoices.importing.layouts import PLAIN, Layout
from nudgepay.invoices.importing.opening import open_records
from nudgepay.invoices.importing.reading import header_names
from nudgepay.invoices.importing.recognising import TITLE_ROWS, Recognised, Wishes, recognise

SAMPLES = 3
LONGEST_SAMPLE = 60


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file, the field that it fills as things stand, and what its first rows hold."""

    name: str
    field: str
    samples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Look:
    """What a file looks like. `lacking` are required fields without a column; `remark` is for a person to decide."""

    layout: str
    title: str
    columns: tuple[Column, ...]
    lacking: tuple[str, ...]
    sheet: str = ""
    sheets: tuple[str, ...] = ()
    remark: str = ""

    @property
    def is_recognised(self) -> bool:
        """True for a known export or a saved mapping."""
        return self.layout != PLAIN


def look_at(raw: bytes, *, wishes: Wishes, saved: Sequence[Layout], given: Sequence[str] = ()) -> Look:
    """The first look; `given` are fields that hold for the whole file. Raises Unreadable, and UsageError for a
    sheet, mapping or preset that there is not."""
    with open_records(raw, sheet=wishes.sheet) as opened:
        first = list(islice(opened.records, TITLE_ROWS + SAMPLES))
        known, remark = _recognised(first, wishes, saved)
        samples = list(islice(known.rows, SAMPLES))
        layout = known.layout
        found = resolve(layout, known.names)
        said = {*given, *(("client_email", "currency", "due_on") if layout.is_foreign else ())}
        said |= {"currency"} if layout.currency else set()
        return Look(
            layout=layout.name,
            title=layout.title,
            columns=_columns(known.names, found, samples),
            lacking=tuple(missing(found, given=said)),
            sheet=opened.sheet,
            sheets=opened.sheets,
            remark=remark,
        )


def _recognised(first: list[Record], wishes: Wishes, saved: Sequence[Layout]) -> tuple[Recognised, str]:
    """As the reading will see it; a file that nobody knows has its header where its table begins."""
    try:
        known = recognise(first, wishes=wishes, saved=saved)
    except UsageError as error:
        if wishes.mapping or wishes.saved or wishes.preset:
            raise
        known, remark = recognise(first, wishes=Wishes(preset=PLAIN, sheet=wishes.sheet), saved=()), str(error)
    else:
        remark = known.remark
    if known.layout.name == PLAIN and missing(resolve(known.layout, known.names), given=("currency",)):
        at = _likely_header(first)
        known = Recognised(known.layout, header_names(first[at]), iter(first[at + 1 :]), remark)
    return known, remark


def _likely_header(first: list[Record]) -> int:
    """The first record that is as wide as the table: titles above it have fewer cells."""
    widths = [sum(bool(as_text(cell).strip()) for cell in record.cells) for record in first[:TITLE_ROWS]]
    return next(at for at, width in enumerate(widths) if width == max(widths) or width >= max(2, max(widths) - 1))


def _columns(names: Sequence[str], found: dict[str, list[str]], samples: list[Record]) -> tuple[Column, ...]:
    fields = {column: target for target, columns in found.items() for column in columns}
    return tuple(
        Column(
            name,
            fields.get(name, ""),
            tuple(as_text(record.cells[at])[:LONGEST_SAMPLE] if at < len(record.cells) else "" for record in samples),
        )
        for at, name in enumerate(names)
        if name
    )
