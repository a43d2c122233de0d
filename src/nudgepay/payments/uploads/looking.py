"""A first look at a file, without reading all of it: its columns, some of its rows, and what it looks like."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.cells import Record
from nudgepay.invoices.importing.columns import missing, resolve
from nudgepay.invoices.importing.layouts import PLAIN, Layout
from nudgepay.invoices.importing.opening import open_records
from nudgepay.invoices.importing.reading import header_names
from nudgepay.invoices.importing.recognising import TITLE_ROWS, Recognised, Wishes, recognise
from nudgepay.invoices.importing.samples import Column, likely_header, sample_columns

SAMPLES = 3


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
        at = likely_header(first[:TITLE_ROWS])
        known = Recognised(known.layout, header_names(first[at]), iter(first[at + 1 :]), remark)
    return known, remark


def _columns(names: Sequence[str], found: dict[str, list[str]], samples: list[Record]) -> tuple[Column, ...]:
    fields = {column: target for target, columns in found.items() for column in columns}
    return sample_columns(names, fields, samples)
