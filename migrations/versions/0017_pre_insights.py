"""Figures of closed months, so that a page of insights costs what it shows."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def _counts(*names: str) -> list[sa.Column[int]]:
    return [sa.Column(name, sa.BigInteger(), nullable=False) for name in names]


def upgrade() -> None:
    """Five new tables."""
    op.create_table(
        "month_ends",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        *_counts("receivable", "not_due", "over_90", "sales", "received"),
        sa.PrimaryKeyConstraint("month", "currency", name=op.f("pk_month_ends")),
    )
    op.create_table(
        "step_outcomes",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        *_counts("sent", "followed", "days"),
        sa.PrimaryKeyConstraint("month", "step", name=op.f("pk_step_outcomes")),
    )
    op.create_table(
        "promise_outcomes",
        sa.Column("month", sa.Date(), nullable=False),
        *_counts("kept", "partially_kept", "broken"),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_promise_outcomes")),
    )
    op.create_table(
        "payment_behaviour",
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        *_counts("paid", "days_late"),
        sa.Column("days_late_before", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_payment_behaviour_client_id")),
        sa.PrimaryKeyConstraint("client_id", name=op.f("pk_payment_behaviour")),
    )
    op.create_index("ix_payment_behaviour_days_late", "payment_behaviour", ["days_late", "client_id"])
    op.create_table(
        "closed_months",
        sa.Column("month", sa.Date(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("is_settled", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("month", name=op.f("pk_closed_months")),
    )


def downgrade() -> None:
    """Take them back."""
    for table in ("closed_months", "payment_behaviour", "promise_outcomes", "step_outcomes", "month_ends"):
        op.drop_table(table)
