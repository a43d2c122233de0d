"""The columns of a file with what their first rows hold, for a person who says which is what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nudgepay.invoices.importing.cells import Record, as_text

LONGEST_SAMPLE = 60


@dataclass(frozen=True, slots=True)
class Column:
    """A column of the file, the field that it fills as things stand, and what its first rows hold."""

    name: str
    field: str
    samples: tuple[str, ...]


def sample_columns(names: Sequence[str], fields: Mapping[str, str], rows: Sequence[Record]) -> tuple[Column, ...]:
    """Every column that has a name; `fields` is column to field."""
    return tuple(
        Column(
            name,
            fields.get(name, ""),
            tuple(as_text(record.cells[at])[:LONGEST_SAMPLE] if at < len(record.cells) else "" for record in rows),
        )
        for at, name in enumerate(names)
        if name
    )


def likely_header(first: Sequence[Record]) -> int:
    """The place of the first record that is as wide as the table: titles above it have fewer cells."""
    widths = [sum(bool(as_text(cell).strip()) for cell in record.cells) for record in first]
    return next(at for at, width in enumerate(widths) if width == max(widths) or width >= max(2, max(widths) - 1))
