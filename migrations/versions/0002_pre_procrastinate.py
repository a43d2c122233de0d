"""The worker host's own tables, in a schema of their own

`pre` runs before the new code starts, `post` after the old code has gone.
"""

from alembic import op
from procrastinate.schema import SchemaManager

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the schema `procrastinate` and the tables that its pinned release ships."""
    op.execute("CREATE SCHEMA procrastinate")
    op.execute("SET LOCAL search_path = procrastinate")
    op.get_bind().exec_driver_sql(SchemaManager.get_schema().replace("%", "%%"))
    op.execute("SET LOCAL search_path = public")


def downgrade() -> None:
    """Drop it; the truth lies in our own rows."""
    op.execute("DROP SCHEMA procrastinate CASCADE")
