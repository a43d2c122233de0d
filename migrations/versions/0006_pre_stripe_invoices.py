"""Invoices that were imported from Stripe, and which invoice is debited by itself

`pre` runs before the new code starts, `post` after the old code has gone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create the table; the column has a constant default, so no row is rewritten."""
    op.add_column("invoices", sa.Column("autopay", sa.Boolean(), server_default=sa.text("false"), nullable=False))
    op.create_table(
        "stripe_invoices",
        sa.Column("invoice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stripe_id", sa.Text(), nullable=False),
        sa.Column("livemode", sa.Boolean(), nullable=False),
        sa.Column("status", sa.Text(), server_default=sa.text("'open'"), nullable=False),
        sa.Column("amount_paid", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("money_pending_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closing_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusals", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("partial_told_at", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "status IN ('open', 'paid', 'void', 'uncollectible')", name=op.f("ck_stripe_invoices_status")
        ),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_stripe_invoices_invoice_id")),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_stripe_invoices")),
        sa.UniqueConstraint("stripe_id", name=op.f("uq_stripe_invoices_stripe_id")),
    )
    op.create_index(
        "ix_stripe_invoices_unfinished",
        "stripe_invoices",
        ["checked_at"],
        postgresql_where=sa.text("status IN ('open', 'uncollectible')"),
    )


def downgrade() -> None:
    """Drop both."""
    op.drop_index(
        "ix_stripe_invoices_unfinished",
        table_name="stripe_invoices",
        postgresql_where=sa.text("status IN ('open', 'uncollectible')"),
    )
    op.drop_table("stripe_invoices")
    op.drop_column("invoices", "autopay")
