"""Sentences that rooms below the pages write and pages show in the reader's language."""

from typing import Any


class Said(str):
    """A sentence that remembers its template and its values, so that pages can say it in another language."""

    template: str
    values: dict[str, Any]


def said(template: str, **values: Any) -> Said:
    """The sentence; `template` holds `%(name)s` for each value and is what translators read."""
    made = Said(template % values if values else template)
    made.template, made.values = template, values
    return made
