"""How a column is judged, and the small language in which the map of personal data is written.

Expressions are SQL. They may use `:clients`, `:contacts` and `:operators` (ids), `:addresses` and `:names` (lower
case) and `:mentions` (a regular expression of the addresses).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

WORD = "(erased)"
"""What stands where a name stood."""
ADDRESS = "'erased-' || id || '@erased.invalid'"
Handling = Literal["none", "erased", "kept", "secret", "mention", "origin"]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: how it is handled, what it becomes, and, where it is kept, by which rule."""

    handling: Handling
    becomes: str = ""
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """One table: every column judged. `rows` says which are a person's; `dated` when what is kept began to count.

    `open_while` holds a row back from the end of its term; `is_deleted` rows go whole, at once or at the term. In
    `mentions`, free text, the addresses are replaced in all rows, whoever's they are.
    """

    name: str
    columns: Mapping[str, Column]
    rows: str | None = None
    dated: str | None = None
    open_while: str = "false"
    is_deleted: bool = False
    is_deleted_at_term: bool = False
    mentions: tuple[str, ...] = ()

    def handled_as(self, handling: Handling) -> dict[str, Column]:
        """The columns that are handled so."""
        return {name: column for name, column in self.columns.items() if column.handling == handling}


def table(
    name: str,
    none: str = "",
    *,
    rows: str | None = None,
    erased: Mapping[str, str] | None = None,
    kept: Mapping[str, str] | None = None,
    rule: str = "",
    secret: Mapping[str, str] | None = None,
    mention: str = "",
    origin: str = "",
    dated: str | None = None,
    open_while: str = "false",
    is_deleted: bool = False,
    is_deleted_at_term: bool = False,
) -> Table:
    """`none`, `mention` and `origin` are names; `erased`, `kept` and `secret` say what a column becomes.

    `secret` columns are a person's, go with an erasure, and are handed out to nobody. `kept` ones become so at the
    end of the term. `mention` may name columns that are judged otherwise as well.
    """
    columns = {
        **{one: Column("mention") for one in mention.split()},
        **{one: Column("none") for one in none.split()},
        **{one: Column("erased", to) for one, to in (erased or {}).items()},
        **{one: Column("kept", to, rule) for one, to in (kept or {}).items()},
        **{one: Column("secret", to) for one, to in (secret or {}).items()},
        **{one: Column("origin") for one in origin.split()},
    }
    return Table(
        name,
        columns,
        rows=rows,
        dated=dated,
        open_while=open_while,
        is_deleted=is_deleted,
        is_deleted_at_term=is_deleted_at_term,
        mentions=tuple(mention.split()),
    )
