"""Closing days of the business, schedules that nobody may follow any more, and who follows which."""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NAMED = sa.text("schedule_name IS NOT NULL")


def upgrade() -> None:
    """A table, an empty column, and two indexes over the few rows that name a schedule."""
    op.create_table(
        "closing_days",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("day", name=op.f("pk_closing_days")),
    )
    op.add_column("schedules", sa.Column("retired_at", INSTANT, nullable=True))
    op.create_index("ix_clients_schedule_name", "clients", ["schedule_name", "id"], postgresql_where=NAMED)
    op.create_index("ix_invoices_schedule_name", "invoices", ["schedule_name", "id"], postgresql_where=NAMED)


def downgrade() -> None:
    """Take them back."""
    op.drop_index("ix_invoices_schedule_name", table_name="invoices", postgresql_where=NAMED)
    op.drop_index("ix_clients_schedule_name", table_name="clients", postgresql_where=NAMED)
    op.drop_column("schedules", "retired_at")
    op.drop_table("closing_days")
