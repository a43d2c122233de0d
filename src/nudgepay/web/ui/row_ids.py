"""Ids of rows in paths and forms: what no row can have is refused before anybody asks the database."""

from typing import Annotated

from fastapi import Form, Path

HIGHEST = 2**63 - 1
RowId = Annotated[int, Path(ge=1, le=HIGHEST)]
Version = Annotated[int, Form(ge=1, le=HIGHEST)]
"""The version of a row that the person saw."""


def row_id_of(text: str) -> int | None:
    """The id that a query string names; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
