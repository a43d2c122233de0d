"""Order for the pages about operations: open notices, and the events that were handled last."""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two partial indexes. A new event is in neither, so that taking it in costs what it did."""
    op.create_index(
        "ix_notices_open_in_order", "notices", ["id"], unique=False, postgresql_where=sa.text("resolved_at IS NULL")
    )
    op.create_index(
        "ix_stripe_events_handled_at",
        "stripe_events",
        ["handled_at"],
        unique=False,
        postgresql_where=sa.text("handled_at IS NOT NULL"),
    )


def downgrade() -> None:
    """Take them back."""
    op.drop_index(
        "ix_stripe_events_handled_at",
        table_name="stripe_events",
        postgresql_where=sa.text("handled_at IS NOT NULL"),
    )
    op.drop_index("ix_notices_open_in_order", table_name="notices", postgresql_where=sa.text("resolved_at IS NULL"))
