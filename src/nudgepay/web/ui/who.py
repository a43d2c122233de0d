"""Who acted, as people know them: `operator:7` by address, what the product does by itself by its name."""

from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session

from nudgepay.access.models import Operator

PREFIX = "operator:"
OURS = ("migration:", "job:")


def names_of(session: Session, actors: Collection[str]) -> dict[str, str]:
    """Each actor's name to show."""
    ids = {int(one.removeprefix(PREFIX)) for one in actors if one.startswith(PREFIX) and one[len(PREFIX) :].isdigit()}
    rows = session.execute(select(Operator.id, Operator.email).where(Operator.id.in_(ids))) if ids else ()
    known = {f"{PREFIX}{row.id}": row.email for row in rows}
    return {one: known.get(one) or ("NudgePay" if one.startswith(OURS) else one) for one in actors}
