"""Whose data: a person by address, wherever it is known, or a client who is a person, with all contacts."""

import re
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from nudgepay.errors import NotFound
from nudgepay.invoices.models import Client
from nudgepay.privacy.judging import WORD

NOTHING = "(?!)"
"""A regular expression that matches nothing."""


@dataclass(frozen=True, slots=True)
class Person:
    """Ids of what is theirs alone. `addresses` and `names` are in lower case; `at` are clients they belong to."""

    clients: tuple[int, ...] = ()
    contacts: tuple[int, ...] = ()
    operators: tuple[int, ...] = ()
    addresses: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    at: tuple[int, ...] = field(default=())

    def values(self, **more: Any) -> dict[str, Any]:
        """What the expressions of the map are given."""
        return {
            "clients": list(self.clients),
            "contacts": list(self.contacts),
            "operators": list(self.operators),
            "addresses": list(self.addresses),
            "names": list(self.names),
            "mentions": "|".join(re.escape(one) for one in self.addresses) or NOTHING,
            **more,
        }


_BY_ADDRESS = "SELECT id FROM contacts WHERE lower(email) = :address ORDER BY id"
_OPERATORS = "SELECT id FROM operators WHERE lower(email) = :address"
_OF_CLIENT = "SELECT id FROM contacts WHERE client_id = :client ORDER BY id"
_KNOWN = "SELECT EXISTS (SELECT FROM suppressions WHERE address = :address)"
_ADDRESSES = """
SELECT DISTINCT lower(k.email) FROM contacts k
 WHERE k.id = ANY(:contacts) AND k.email NOT LIKE '%@erased.invalid'
   AND NOT EXISTS (SELECT FROM contacts o WHERE lower(o.email) = lower(k.email) AND o.id <> ALL(:contacts))
   AND NOT EXISTS (SELECT FROM operators o WHERE lower(o.email) = lower(k.email) AND o.id <> ALL(:operators))
"""
"""An address that somebody else shares is not this person's alone: what is known of it stays."""
_NAMES = """
SELECT lower(name) FROM clients WHERE id = ANY(:clients) AND name <> :word AND length(name) > 3
UNION SELECT lower(name) FROM contacts WHERE id = ANY(:contacts) AND name <> :word AND length(name) > 3
"""


def person_by_address(session: Session, address: str) -> Person:
    """Whoever has this address: contacts at any client, and an operator. Raises NotFound."""
    wanted = {"address": address.strip().lower()}
    contacts = session.scalars(text(_BY_ADDRESS), wanted).all()
    operators = session.scalars(text(_OPERATORS), wanted).all()
    if not contacts and not operators and not session.scalar(text(_KNOWN), wanted):
        raise NotFound("nobody here has this address")
    return person_of(session, contacts=contacts, operators=operators, addresses=(wanted["address"],))


def person_of_client(session: Session, client_id: int) -> Person:
    """A client who is a person, with all contacts. Raises NotFound."""
    if session.get(Client, client_id) is None:
        raise NotFound(f"there is no client {client_id}")
    contacts = session.scalars(text(_OF_CLIENT), {"client": client_id}).all()
    return person_of(session, clients=(client_id,), contacts=contacts)


def person_of(
    session: Session,
    *,
    clients: Collection[int] = (),
    contacts: Collection[int] = (),
    operators: Collection[int] = (),
    addresses: Collection[str] = (),
) -> Person:
    """The person behind these rows; `addresses` are theirs beside those of the contacts."""
    ids = {"clients": list(clients), "contacts": list(contacts), "operators": list(operators), "word": WORD}
    own = set(session.scalars(text(_ADDRESSES), ids)) | set(addresses)
    names = session.scalars(text(_NAMES), ids).all()
    belongs = text("SELECT DISTINCT client_id FROM contacts WHERE id = ANY(:contacts)")
    at = {*session.scalars(belongs, ids), *clients}
    return Person(
        tuple(sorted(clients)),
        tuple(sorted(contacts)),
        tuple(sorted(operators)),
        tuple(sorted(own)),
        tuple(sorted(names)),
        tuple(sorted(at)),
    )
