"""A form that says which column of a file is what."""

from collections.abc import Collection, Mapping, Sequence

from fastapi import Request

from nudgepay.errors import NotFound, UsageError
from nudgepay.invoices.importing.saved import NameTaken
from nudgepay.invoices.validation import FieldError
from nudgepay.payments.uploads.actions import UploadMoved
from nudgepay.payments.uploads.models import ImportUpload
from nudgepay.web.ui.page import Page
from nudgepay.web.ui.problems import Problems, problems_of, sentence

MOST_FIELDS = 500


async def given_fields(request: Request) -> dict[str, str]:
    """The form's fields: a file may have many columns."""
    form = await request.form(max_fields=MOST_FIELDS)
    return {key: value for key, value in form.items() if isinstance(value, str)}


def chosen_columns(given: Mapping[str, str], names: Sequence[str], fields: Collection[str]) -> dict[str, str]:
    """The file's columns to the fields that the person chose for them."""
    return {name: field for at, name in enumerate(names) if (field := given.get(f"column-{at}", "")) in fields}


def column_problems(page: Page, error: UsageError) -> Problems:
    """What is wrong with the form; what names no field of it is said above the columns."""
    if isinstance(error, FieldError) and error.field == "columns":
        return Problems(columns=sentence(page, error.code, error.reason))
    if isinstance(error, NameTaken):
        return problems_of(page, FieldError("name", "mapping_name", str(error)))
    return problems_of(page, error) if isinstance(error, FieldError) else Problems(columns=str(error))


def ensure_readable(upload: ImportUpload) -> ImportUpload:
    """A file whose columns can still be said. Raises NotFound and UploadMoved."""
    if upload.state == "discarded":
        raise NotFound("this file was thrown away")
    if upload.content is None or upload.state in {"importing", "done"}:
        raise UploadMoved("this file is imported already")
    return upload
