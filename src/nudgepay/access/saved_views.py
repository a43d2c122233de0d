"""Lists as operators like to see them, each operator's own. A view is a query string under a name."""

from sqlalchemy import Select, func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from nudgepay.access.models import SavedView
from nudgepay.errors import Conflict, NotFound, UsageError

LONGEST_NAME = 40
LONGEST_QUERY = 1000
MOST = 30


class TooManyViews(Conflict):
    """Nobody finds anything among so many."""


class ViewExists(Conflict):
    """Another view of the same page has this name."""


def saved_views(session: Session, operator_id: int, page: str) -> list[SavedView]:
    """An operator's views of a page, by name."""
    query = select(SavedView).where(SavedView.operator_id == operator_id, SavedView.page == page)
    return list(session.scalars(query.order_by(func.lower(SavedView.name), SavedView.id)))


def save_view(session: Session, operator_id: int, page: str, *, name: str, query: str) -> str | None:
    """Keep a view; one of the same name shows the new list. Returns what that one showed before.

    Raises UsageError for an unfit name and TooManyViews.
    """
    name = clean_name(name)
    known = session.scalar(_by_name(operator_id, page, name).with_for_update())
    if known is None and len(saved_views(session, operator_id, page)) >= MOST:
        raise TooManyViews(f"you have {MOST} views of this page: delete one first")
    values = {"operator_id": operator_id, "page": page, "name": name, "query": query[:LONGEST_QUERY]}
    statement = insert(SavedView).values(**values)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["operator_id", "page", "name"], set_={"query": statement.excluded.query}
        )
    )
    return known.query if known is not None else None


def rename_view(session: Session, operator_id: int, view_id: int, name: str) -> SavedView:
    """Give another name. Raises NotFound, UsageError and ViewExists."""
    view = own_view(session, operator_id, view_id)
    name = clean_name(name)
    other = session.scalar(_by_name(operator_id, view.page, name))
    if other is not None and other.id != view.id:
        raise ViewExists(f"you have another view with the name {name!r}")
    view.name = name
    return view


def delete_view(session: Session, operator_id: int, view_id: int) -> SavedView:
    """Forget a view; returns what it was. Raises NotFound."""
    view = own_view(session, operator_id, view_id)
    session.delete(view)
    return view


def own_view(session: Session, operator_id: int, view_id: int) -> SavedView:
    """A view of this operator, locked; raises NotFound for anybody else's."""
    query = select(SavedView).where(SavedView.id == view_id, SavedView.operator_id == operator_id)
    found = session.scalar(query.with_for_update())
    if found is None:
        raise NotFound("there is no such view of yours")
    return found


def clean_name(name: str) -> str:
    """One short line; raises UsageError."""
    found = " ".join(name.split())
    if not found or len(found) > LONGEST_NAME or not found.isprintable():
        raise UsageError(f"name: give the view a name of 1 to {LONGEST_NAME} characters")
    return found


def _by_name(operator_id: int, page: str, name: str) -> Select[SavedView]:
    return select(SavedView).where(
        SavedView.operator_id == operator_id, SavedView.page == page, SavedView.name == name
    )
