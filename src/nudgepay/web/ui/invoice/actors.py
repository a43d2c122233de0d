"""Who did it, in words: an operator by the e-mail address, everybody else by what they are."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from nudgepay.access.operators import emails_of
from nudgepay.web.ui.page import Page

OPERATOR = "operator:"
MACHINES = ("job:", "webhook:", "books")


class Actors:
    """The names behind the actors of some rows, asked once."""

    def __init__(self, page: Page, session: Session, actors: Iterable[str]) -> None:
        """`actors` as the audit log has them."""
        ids = {int(one.removeprefix(OPERATOR)) for one in actors if _is_operator(one)}
        self._page = page
        self._emails = emails_of(session, ids)

    def name(self, actor: str | None) -> str:
        """In the person's language; empty for nobody."""
        gettext = self._page.gettext
        if not actor:
            return ""
        if _is_operator(actor):
            return self._emails.get(int(actor.removeprefix(OPERATOR)), actor)
        if actor == "payer":
            return gettext("the payer")
        if actor == "stripe":
            return "Stripe"
        if actor.startswith(MACHINES):
            return "NudgePay"
        if actor.startswith("cli:"):
            return gettext("%(user)s at the command line") % {"user": actor.removeprefix("cli:")}
        return actor


def _is_operator(actor: str) -> bool:
    number = actor.removeprefix(OPERATOR)
    return actor.startswith(OPERATOR) and number.isascii() and number.isdigit() and len(number) < 19
