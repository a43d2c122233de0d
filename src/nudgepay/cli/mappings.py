"""`nudgepay mappings`: how files of one kind are read."""

from collections.abc import Iterable
from typing import Annotated, Any

import typer

from nudgepay.cli.context import actor, open_runtime, print_json
from nudgepay.cli.tables import print_table

app = typer.Typer(no_args_is_help=True, help="Saved mappings of a file's columns to fields.")
Json = Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")]
Name = Annotated[str, typer.Argument(help="The mapping's name.")]


def pairs(items: Iterable[str]) -> dict[str, str]:
    """COLUMN=FIELD as the file's column to the field; raises UsageError. A column may hold the sign itself."""
    from nudgepay.errors import UsageError

    found = {}
    for item in items:
        column, sign, field = item.rpartition("=")
        if not sign or not column.strip():
            raise UsageError(f"--map {item}: write COLUMN=FIELD")
        found[column.strip()] = field.strip()
    return found


@app.command()
def save(
    name: Name,
    mapping: Annotated[list[str] | None, typer.Option("--map", help="COLUMN=FIELD, as often as needed.")] = None,
    locale: Annotated[str | None, typer.Option(help="Whose conventions such files follow.")] = None,
    currency: Annotated[str | None, typer.Option(help="Of rows that name none.")] = None,
) -> None:
    """Keep a mapping; one with this name is replaced."""
    from nudgepay.invoices.importing.saved import save_mapping

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = save_mapping(
            session, name=name, columns=pairs(mapping or []), locale=locale, currency=currency, actor=actor()
        )
    print(f"Mapping {found.name} is saved; a file with its columns is read by it.")


@app.command("list")
def list_mappings(as_json: Json = False) -> None:
    """Every saved mapping, and the exports that are known without one."""
    from nudgepay.invoices.importing.layouts import presets
    from nudgepay.invoices.importing.saved import mappings

    with open_runtime() as runtime, runtime.db.transaction() as session:
        rows = [_document(found) for found in mappings(session)]
    if as_json:
        print_json(rows)
        return
    cells = [(row["name"], ", ".join(row["columns"]), row["locale"], row["currency"]) for row in rows]
    empty = "No mapping yet: nudgepay mappings save NAME --map COLUMN=FIELD"
    print_table("Saved mappings", ["name", "columns", "locale", "currency"], cells, empty=empty)
    known = [(layout.name, layout.title) for layout in presets().values()]
    print_table("Known exports", ["name", "what"], known, empty="")


@app.command()
def show(name: Name, as_json: Json = False) -> None:
    """One mapping, column by column."""
    from nudgepay.invoices.importing.saved import mapping_by_name

    with open_runtime() as runtime, runtime.db.transaction() as session:
        found = _document(mapping_by_name(session, name))
    if as_json:
        print_json(found)
        return
    print_table(f"Mapping {name}", ["column", "field"], list(found["columns"].items()), empty="")
    print(f"Locale {found['locale'] or 'as said'}, currency {found['currency'] or 'as in the file'}.")


@app.command()
def delete(name: Name) -> None:
    """Forget a mapping."""
    from nudgepay.invoices.importing.saved import delete_mapping

    with open_runtime() as runtime, runtime.db.transaction() as session:
        delete_mapping(session, name=name, actor=actor())
    print(f"Mapping {name} is deleted.")


def _document(found: Any) -> dict[str, Any]:
    return {"name": found.name, "columns": found.columns, "locale": found.locale, "currency": found.currency}
