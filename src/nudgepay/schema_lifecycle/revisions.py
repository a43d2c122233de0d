"""Which schema this code needs, which one the database has, and whether the two fit. Loads no migration tool."""

from pathlib import Path

from sqlalchemy import text

from nudgepay.db import Database


def migrations_directory() -> Path:
    """Inside the wheel, or at the root of the source tree."""
    packaged = Path(__file__).parent.parent / "migrations"
    return packaged if packaged.is_dir() else Path(__file__).parents[3] / "migrations"


def head() -> str:
    """The revision that this code needs."""
    return (migrations_directory() / ".head").read_text(encoding="ascii").strip()


def current(db: Database) -> str | None:
    """The revision that the database has; None when it was never migrated. Raises DatabaseUnavailable."""
    with db.connection() as connection:
        if connection.scalar(text("SELECT to_regclass('alembic_version')")) is None:
            return None
        found: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
        return found


def misfit(db: Database) -> str | None:
    """Why this code cannot work on the database's schema, with the cure; None when it can.

    A newer schema is fine as long as it says so: a release and the one after it share the work while one replaces
    the other.
    """
    known, wanted = current(db), head()
    if known == wanted:
        return None
    if known is None or known in _revisions():
        return f"the schema is at {known or 'nothing'}, this code needs {wanted}: nudgepay migrate"
    with db.connection() as connection:
        oldest = connection.scalar(text("SELECT oldest_code FROM schema_state"))
    if oldest is not None and oldest <= wanted:
        return None
    return f"the schema is at {known}, too new for this code ({wanted}): run the newer release"


def _revisions() -> set[str]:
    return {path.name.partition("_")[0] for path in (migrations_directory() / "versions").glob("[0-9]*_*.py")}
