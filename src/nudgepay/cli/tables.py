"""A table that a person believes: rich on a terminal, plain when piped."""

from collections.abc import Iterable, Sequence


def print_table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Columns whose name ends in `>` are aligned right; `empty` teaches what to do when there is no row.

    What stands in a cell is shown as it is: brackets in a payer's text are no markup.
    """
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console()
    listed = [tuple("" if cell is None else str(cell) for cell in row) for row in rows]
    if not listed:
        console.print(empty)
        return
    table = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        table.add_column(column.rstrip(">"), justify="right" if column.endswith(">") else "left")
    for row in listed:
        table.add_row(*map(Text, row))
    console.print(table)
