"""What is wrong with a field or a cell, in the person's language. The codes are the domain's own."""

from typing import TYPE_CHECKING

from nudgepay.errors import UsageError
from nudgepay.invoices.checking import FieldErrors
from nudgepay.invoices.validation import FieldError
from nudgepay.web.ui.words import N_

if TYPE_CHECKING:
    from nudgepay.web.ui.page import Page

SENTENCES: dict[str, str] = {
    "missing": N_("Fill this in."),
    "too_long": N_("This is too long; shorten it."),
    "control_character": N_("It holds a line break or an invisible character; remove it."),
    "not_an_address": N_("Give one e-mail address such as name@example.com."),
    "unknown_timezone": N_("Choose a time zone such as Europe/Berlin."),
    "unknown_locale": N_("Choose a language such as en or de-AT."),
    "unknown_country": N_("Choose a country such as DE."),
    "unknown_role": N_("Choose billing, approver or copy."),
    "unknown_schedule": N_("There is no such schedule; choose one of the list."),
    "taken": N_("Another client has this key; choose another one."),
    "address_taken": N_("This client has, or had, a contact with this address; add that one again instead."),
    "out_of_range": N_("This amount is out of range: it must be 0 or more, and no more than what is claimed."),
    "not_positive": N_("The amount must be more than zero."),
    "amount": N_("This is no amount; write it such as 1234.56, or choose whose conventions the file follows."),
    "not_an_amount": N_("Write an amount such as 20 or 20.50."),
    "date": N_("This is no date, or could be two; write 2026-03-31, or choose whose conventions the file follows."),
    "not_a_day": N_("Choose a day from today on."),
    "invalid": N_("This value is not known."),
    "no_currency": N_("No column names the currency; choose one for the whole file where you say how it is read."),
    "unknown_currency": N_("This is no currency such as EUR."),
    "not_days": N_("Give a number of days from 0 to 365."),
    "column_chosen_twice": N_("Two columns are chosen for the same field; choose one of them."),
    "mapping_name": N_("This name is taken by a known kind of file; choose another one."),
    "number_twice": N_("This number stands in the file before; each invoice has one line."),
    "lines_disagree": N_("The lines of this invoice contradict each other here."),
    "client_ambiguous": N_("Several clients have this name; add their address or your own key to the file."),
    "email_missing": N_("No address is known for this client; add it to the file, or add the client first."),
    "other_client": N_("This invoice is on the books with another client."),
    "other_currency": N_("This invoice is on the books with another currency."),
    "below_paid": N_("This is less than what was paid already; record a refund instead."),
    "cell_error": N_("The cell shows an error; correct it in the spreadsheet."),
    "no_value": N_("The cell is a formula without a stored value; open the file and save it again."),
    "column_twice": N_("The column appears twice; rename one of them."),
    "csv": N_("From here on it is no CSV: a quotation mark is missing or too many."),
    "encoding": N_("Its characters cannot be read; save the file as CSV in UTF-8."),
    "empty": N_("The file holds no table."),
    "encrypted": N_("The file is protected with a password; remove it in the spreadsheet program."),
    "not_xlsx": N_("This is no workbook that can be read; save it again as .xlsx or as CSV."),
    "old_excel": N_("This is the old .xls format; save it as .xlsx or as CSV."),
    "nul": N_("It holds a NUL byte, as text never does; save the file as CSV in UTF-8."),
    "too_large": N_("The file is too large: at most 10 MB; split it, or save the one sheet as CSV."),
    "zip_bomb": N_("The file would unpack to a multiple of its size; save it as CSV."),
    "too_many_columns": N_("There are more than 200 columns; leave out what is not needed."),
    "too_many_cells": N_("This line has more cells than there are columns; look for a stray separator."),
    "zip": N_("This is a ZIP archive; unpack it and bring each file in it."),
    "no_statement": N_("This is no bank statement: neither camt.053 nor a table of columns."),
    "other_message": N_("This is another kind of message, such as camt.052 or camt.054; ask your bank for camt.053."),
    "forbidden_xml": N_("It declares a document type or entities, which no bank writes; it was not read."),
    "xml": N_("From here on it is no well-formed XML; fetch the file again from your bank."),
    "too_deep": N_("It is nested deeper than any statement; fetch the file again from your bank."),
    "too_many_faults": N_("There are more than 1,000 mistakes; correct those above first."),
    "too_many_rows": N_("There are more than 50,000 rows; split the file."),
}
"""What is not here is shown in the domain's own words."""


def sentence(page: "Page", code: str, otherwise: str) -> str:
    """What to say of a code."""
    found = SENTENCES.get(code)
    return page.gettext(found) if found else otherwise


class Problems(dict[str, str]):
    """What is wrong by field; nothing is wrong with a field that is not here."""

    def __missing__(self, field: str) -> str:
        """The empty sentence."""
        return ""


def problems_of(page: "Page", error: UsageError | None) -> Problems:
    """Each field that was refused, and why. What names no field stays an error of the whole request."""
    if error is None:
        return Problems()
    errors = error.errors if isinstance(error, FieldErrors) else (error,)
    if not all(isinstance(one, FieldError) for one in errors):
        raise error
    return Problems(
        {one.field: sentence(page, one.code, one.reason) for one in errors if isinstance(one, FieldError)}
    )
