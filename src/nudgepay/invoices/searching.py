"""What a person types, found in the books: numbers, names, addresses, amounts. Each look costs what it finds."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from nudgepay.errors import OperationalError
from nudgepay.money import currencies_with

PATIENCE = "SET LOCAL statement_timeout = '1s'"
CANCELED = "57014"
MANY = 200
LEAST_INSIDE = 3
"""Signs that a text must have to be looked for inside of others: the index holds every three neighbours."""
HIGHEST = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)


class TooBroad(OperationalError):
    """So much may match that looking takes too long."""


@dataclass(frozen=True, slots=True)
class Amount:
    """What was typed, if it is an amount of a currency with so many `decimals` (minor units)."""

    minor: int
    decimals: int


_INVOICE = """
SELECT i.id, i.number, i.client_id, c.name AS client, i.currency, i.amount_due, i.amount_remaining, i.status,
       i.money_state, i.due_on
  FROM ({found}) AS found JOIN invoices i ON i.id = found.invoice_id JOIN clients c ON c.id = i.client_id
 ORDER BY found.place, i.number
"""
_STARTS = """
SELECT invoice_id, row_number() OVER (ORDER BY number, invoice_id) AS place FROM invoice_index
 WHERE number >= :low AND (CAST(:high AS text) IS NULL OR number < :high) ORDER BY number, invoice_id LIMIT :limit
"""
_HOLDS = """
SELECT invoice_id, -invoice_id AS place
  FROM (SELECT invoice_id FROM invoice_index
         WHERE search_grams(number) @> CAST(:grams AS text[]) AND strpos(number, :sought) > 0 LIMIT :many) AS part
 ORDER BY invoice_id DESC LIMIT :limit
"""
"""`many` first: with few rows wanted in the order of another index, PostgreSQL would rather read all of that one."""
_COSTS = """
SELECT invoice_id, -invoice_id AS place FROM invoice_index
 WHERE amount_due = :minor AND currency = ANY(:currencies) ORDER BY invoice_id DESC LIMIT :limit
"""
_CLIENT = """
SELECT c.id, c.name, (SELECT email FROM contacts k WHERE k.client_id = c.id ORDER BY id LIMIT 1) AS email
  FROM ({found}) AS found JOIN clients c ON c.id = found.client_id ORDER BY found.place
"""
_NAME_STARTS = """
SELECT id AS client_id, row_number() OVER (ORDER BY lower(name) USING ~<~) AS place FROM clients
 WHERE lower(name) ~>=~ :low AND (CAST(:high AS text) IS NULL OR lower(name) ~<~ :high)
 ORDER BY lower(name) USING ~<~ LIMIT :limit
"""
_ADDRESS_STARTS = """
SELECT client_id, row_number() OVER (ORDER BY lower(email) USING ~<~) AS place FROM contacts
 WHERE lower(email) ~>=~ :low AND (CAST(:high AS text) IS NULL OR lower(email) ~<~ :high)
 ORDER BY lower(email) USING ~<~ LIMIT :limit
"""
NAME = "lower({}.name)"
PERSON = "lower(({0}.name || ' '::text) || {0}.email)"
"""What is looked through of a client and of a person there; indexes hold the threes of exactly these expressions."""
_NAME_HOLDS = f"""
SELECT client_id, client_id AS place
  FROM (SELECT c.id AS client_id FROM clients c
         WHERE search_grams({NAME.format("c")}) @> CAST(:grams AS text[]) AND strpos({NAME.format("c")}, :sought) > 0
         LIMIT :many) AS part LIMIT :limit
"""  # noqa: S608  # constants only
_PERSON_HOLDS = f"""
SELECT client_id, client_id AS place
  FROM (SELECT k.client_id FROM contacts k
         WHERE search_grams({PERSON.format("k")}) @> CAST(:grams AS text[])
           AND strpos({PERSON.format("k")}, :sought) > 0
         LIMIT :many) AS part LIMIT :limit
"""  # noqa: S608  # constants only


def find_invoices(session: Session, sought: str, *, limit: int) -> list[Row[Any]]:
    """Invoices whose number begins with the text, then those that hold it, newest first. Raises TooBroad."""
    return _found(session, _INVOICE, (_STARTS, _HOLDS), sought, limit=limit)


def find_clients(session: Session, sought: str, *, limit: int) -> list[Row[Any]]:
    """Clients whose name or address begins with the text, then those with it inside of these or of a person's name.
    Raises TooBroad.
    """
    queries = (_NAME_STARTS, _ADDRESS_STARTS, _NAME_HOLDS, _PERSON_HOLDS)
    return _found(session, _CLIENT, queries, sought, limit=limit)


def find_amounts(session: Session, amounts: Iterable[Amount], *, limit: int) -> list[Row[Any]]:
    """Invoices over exactly one of these amounts, newest first. Raises TooBroad."""
    found: dict[int, Row[Any]] = {}
    for amount in amounts:
        given = {"minor": amount.minor, "currencies": sorted(currencies_with(amount.decimals)), "limit": limit}
        found |= {row.id: row for row in _rows(session, _INVOICE.format(found=_COSTS), given)}
    return list(found.values())[:limit]


def _found(session: Session, shape: str, queries: Iterable[str], sought: str, *, limit: int) -> list[Row[Any]]:
    lowered = sought.lower()
    given: dict[str, Any] = {"low": lowered, "high": after_all_that_begin_with(lowered), "limit": limit}
    given |= {"sought": lowered, "grams": grams_of(lowered), "many": MANY}
    found: dict[int, Row[Any]] = {}
    for query in queries if lowered else ():
        if len(found) < limit and (len(lowered) >= LEAST_INSIDE or ":grams" not in query):
            found |= {row.id: row for row in _rows(session, shape.format(found=query), given) if row.id not in found}
    return list(found.values())[:limit]


def _rows(session: Session, query: str, given: dict[str, Any]) -> list[Row[Any]]:
    try:
        with session.begin_nested():
            session.execute(text(PATIENCE))
            return list(session.execute(text(query), given))
    except DBAPIError as error:
        if getattr(error.orig, "sqlstate", None) == CANCELED:
            raise TooBroad("too much may match: type a little more") from error
        raise


def grams_of(sought: str) -> list[str]:
    """Every three neighbouring signs, as the database's `search_grams` has them."""
    return sorted({sought[place : place + 3] for place in range(len(sought) - 2)})


def after_all_that_begin_with(prefix: str) -> str | None:
    """The first text, in the order of the signs' numbers, behind all that begin with `prefix`; None without end."""
    while prefix:
        number = ord(prefix[-1]) + 1
        if number <= HIGHEST:
            return prefix[:-1] + chr(SURROGATES.stop if number in SURROGATES else number)
        prefix = prefix[:-1]
    return None
