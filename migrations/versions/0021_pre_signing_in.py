"""When somebody last proved who they are."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Sessions that run on were proven when this was applied."""
    op.add_column("sessions", sa.Column("proven_at", INSTANT, server_default=sa.text("now()"), nullable=False))


def downgrade() -> None:
    """Take it back."""
    op.drop_column("sessions", "proven_at")
