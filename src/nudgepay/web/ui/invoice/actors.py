"""Who did it, in words: an operator by the e-mail address, everybody else by what they are."""

from collections.abc import Iterable

from sqlalchemy.orm import Session

from nudgepay.access.operators import names_of
from nudgepay.web.ui.page import Page

OPERATOR = "operator:"
MACHINES = ("job:", "webhook:", "books")


class Actors:
    """The names behind the actors of some rows, asked once."""

    def __init__(self, page: Page, session: Session, actors: Iterable[str]) -> None:
        """`actors` as the audit log has them."""
        self._page = page
        self._emails = names_of(session, [one for one in set(actors) if _is_operator(one)])

    def name(self, actor: str | None) -> str:
        """In the person's language; empty for nobody."""
        gettext = self._page.gettext
        if not actor:
            return ""
        if _is_operator(actor):
            return self._emails.get(actor, actor)
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
