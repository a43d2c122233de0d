"""Messages that are no reminders, and the invoices' own documents

`pre` runs before the new code starts, `post` after the old code has gone.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add two tables, and indexes that find what happened lately among all that was ever stored."""
    op.create_table(
        "mailings",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=True),
        sa.Column("contact_id", sa.BigInteger(), nullable=True),
        sa.Column("to_address", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("n", sa.BigInteger(), server_default=sa.text("1"), nullable=False),
        sa.Column("message_id", sa.Text(), nullable=False),
        sa.Column(
            "details",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("state", sa.Text(), server_default=sa.text("'planned'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("look_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("fence", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("mime", sa.LargeBinary(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("sending_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("accepted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reply", sa.Text(), nullable=True),
        sa.CheckConstraint("kind IN ('thanks', 'statement', 'digest', 'copy')", name=op.f("ck_mailings_kind")),
        sa.CheckConstraint(
            "state IN ('planned', 'sending', 'accepted', 'delivered', 'bounced', 'complained', 'failed', 'unknown',"
            " 'cancelled')",
            name=op.f("ck_mailings_state"),
        ),
        sa.ForeignKeyConstraint(["client_id"], ["clients.id"], name=op.f("fk_mailings_client_id")),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("fk_mailings_contact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_mailings")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_mailings_dedup_key")),
        sa.UniqueConstraint("message_id", name=op.f("uq_mailings_message_id")),
        sa.UniqueConstraint("token", name=op.f("uq_mailings_token")),
    )
    op.create_index("ix_mailings_waiting", "mailings", ["look_at"], postgresql_where=sa.text("state = 'planned'"))
    op.create_index(
        "ix_mailings_unsettled",
        "mailings",
        ["state"],
        postgresql_where=sa.text("state IN ('sending', 'unknown')"),
    )
    op.create_index("ix_mailings_client_id", "mailings", ["client_id"])
    op.create_index("ix_mailings_to_address", "mailings", ["to_address", "sending_at"])
    op.create_table(
        "invoice_documents",
        sa.Column("invoice_id", sa.BigInteger(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_documents_invoice_id")),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_invoice_documents")),
        sa.UniqueConstraint("token", name=op.f("uq_invoice_documents_token")),
    )
    op.create_index("ix_invoices_paid_at", "invoices", ["closed_at"], postgresql_where=sa.text("status = 'paid'"))
    op.create_index(
        "ix_invoices_amnesty", "invoices", ["amnesty_at"], postgresql_where=sa.text("amnesty_at IS NOT NULL")
    )
    op.create_index("ix_letters_sending_at", "letters", ["sending_at"])
    op.create_index("ix_money_facts_recorded_at", "money_facts", ["recorded_at"])
    op.create_index(
        "ix_ledger_entries_unended", "ledger_entries", ["started_at"], postgresql_where=sa.text("outcome IS NULL")
    )


def downgrade() -> None:
    """Take them back."""
    op.drop_index(
        "ix_ledger_entries_unended", table_name="ledger_entries", postgresql_where=sa.text("outcome IS NULL")
    )
    op.drop_index("ix_money_facts_recorded_at", table_name="money_facts")
    op.drop_index("ix_letters_sending_at", table_name="letters")
    op.drop_index("ix_invoices_amnesty", table_name="invoices", postgresql_where=sa.text("amnesty_at IS NOT NULL"))
    op.drop_index("ix_invoices_paid_at", table_name="invoices", postgresql_where=sa.text("status = 'paid'"))
    op.drop_table("invoice_documents")
    op.drop_table("mailings")
