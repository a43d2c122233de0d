"""The fields that a file may fill, and the columns of a file that fill them."""

from collections.abc import Iterable, Mapping, Sequence

from nudgepay.errors import UsageError
from nudgepay.invoices.importing.layouts import GROUP, Layout, plain

REQUIRED = ("client_name", "client_email", "invoice_number", "due_on", "currency", "amount")
OPTIONAL = (
    "client_locale",
    "client_timezone",
    "client_country",
    "client_external_id",
    "issued_on",
    "amount_paid",
    "amount_open",
    "external_id",
    "description",
)
FIELDS = frozenset({*REQUIRED, *OPTIONAL})
Columns = Mapping[str, Sequence[str]]
"""Field to the file's own column names, in order of preference."""


def ensure_fields(mapping: Mapping[str, str]) -> None:
    """Raises UsageError when a column is mapped to what is no field."""
    for column, name in mapping.items():
        if name not in FIELDS:
            raise UsageError(f"--map {column}={name}: {name!r} is no field; fields are {', '.join(sorted(FIELDS))}")


def resolve(layout: Layout, header: Iterable[str]) -> dict[str, list[str]]:
    """The columns of this header that fill each field. A column that is named as its field needs no mapping."""
    names = {plain(name): name for name in header}
    exact = set(names.values())
    found: dict[str, list[str]] = {}
    for target, wanted in layout.columns.items():
        there = [column if column in exact else names.get(plain(column), "") for column in wanted]
        if GROUP in wanted and layout.is_grouped:
            there.append(GROUP)
        found[target] = [column for column in there if column]
    if not layout.recognised_by:
        taken = {column for columns in found.values() for column in columns}
        for target in FIELDS:
            if target not in found and names.get(target, "") not in {"", *taken}:
                found[target] = [names[target]]
    return {target: columns for target, columns in found.items() if columns}


def missing(columns: Columns, *, given: Iterable[str] = ()) -> list[str]:
    """The required fields without a column; `given` are fields that the operator said for the whole file."""
    there = {*columns, *given}
    if "amount_open" in there:
        there.add("amount")
    return [name for name in REQUIRED if name not in there]


def ensure_required(columns: Columns, *, given: Iterable[str] = ()) -> None:
    """Raises UsageError when a required field has no column."""
    if lacking := missing(columns, given=given):
        raise UsageError(f"the file has no column {', '.join(lacking)}; name it with --map COLUMN=FIELD")
