"""The schema says which code it still serves

`pre` runs before the new code starts, `post` after the old code has gone. A `post` migration raises `oldest_code` to
its own revision: code whose head is older refuses to start from then on.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the one row. The release before asks for its very own schema, so this is the oldest to name."""
    op.create_table(
        "schema_state",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("oldest_code", sa.Text(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_schema_state_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_schema_state")),
    )
    op.execute("INSERT INTO schema_state (id, oldest_code) VALUES (1, '0007')")


def downgrade() -> None:
    """Take it back."""
    op.drop_table("schema_state")
