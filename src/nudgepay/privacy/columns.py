"""The map: every table and every column of the product, judged. A test fails for a column that is not here."""

from nudgepay.privacy.columns_of_books import BOOKS
from nudgepay.privacy.columns_of_house import HOUSE
from nudgepay.privacy.columns_of_letters import LETTERS
from nudgepay.privacy.judging import Table

MAP: dict[str, Table] = {one.name: one for one in (*BOOKS, *LETTERS, *HOUSE)}
"""In the order in which an erasure goes through them: who a row belongs to is asked before that is forgotten."""

RULES = {
    "tax": "Records of bookings and invoices are kept for RETENTION_YEARS full years after the year they belong to.",
    "accountability": "Who did what in the business's name is kept with the audit log; names stand nowhere in it.",
}
