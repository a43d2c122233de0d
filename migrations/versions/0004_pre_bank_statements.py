"""Bank statements and their lines

`pre` runs before the new code starts, `post` after the old code has gone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Create both tables; the old code does not know them."""
    op.create_table(
        "bank_statements",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("period_from", sa.Date(), nullable=True),
        sa.Column("period_to", sa.Date(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("imported_by", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_statements")),
        sa.UniqueConstraint("digest", name=op.f("uq_bank_statements_digest")),
    )
    op.create_table(
        "bank_lines",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("statement_id", sa.BigInteger(), nullable=False),
        sa.Column("dedup_key", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("booked_on", sa.Date(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("counterparty", sa.Text(), nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("reference", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'waiting'"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("fact_id", sa.BigInteger(), nullable=True),
        sa.Column("undone", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "amount > 0 OR (kind = 'reversal' AND amount <> 0)", name=op.f("ck_bank_lines_amount_has_its_sign")
        ),
        sa.CheckConstraint("kind IN ('credit', 'reversal')", name=op.f("ck_bank_lines_kind")),
        sa.CheckConstraint("state IN ('waiting', 'confirmed', 'ignored')", name=op.f("ck_bank_lines_state")),
        sa.CheckConstraint(
            "(state = 'confirmed') = (fact_id IS NOT NULL)", name=op.f("ck_bank_lines_confirmed_by_a_fact")
        ),
        sa.CheckConstraint(
            "(state = 'waiting') = (decided_at IS NULL)", name=op.f("ck_bank_lines_decided_at_some_time")
        ),
        sa.ForeignKeyConstraint(["statement_id"], ["bank_statements.id"], name=op.f("fk_bank_lines_statement_id")),
        sa.ForeignKeyConstraint(["fact_id"], ["money_facts.id"], name=op.f("fk_bank_lines_fact_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bank_lines")),
        sa.UniqueConstraint("dedup_key", name=op.f("uq_bank_lines_dedup_key")),
    )
    op.create_index("ix_bank_lines_statement_id", "bank_lines", ["statement_id"], unique=False)
    op.create_index(
        "ix_bank_lines_waiting",
        "bank_lines",
        ["booked_on", "id"],
        unique=False,
        postgresql_where=sa.text("state = 'waiting'"),
    )
    op.create_index(
        "uq_bank_lines_fact_id",
        "bank_lines",
        ["fact_id"],
        unique=True,
        postgresql_where=sa.text("fact_id IS NOT NULL"),
    )


def downgrade() -> None:
    """Drop both; what was confirmed stays on the books as payments."""
    op.drop_index("uq_bank_lines_fact_id", table_name="bank_lines")
    op.drop_index("ix_bank_lines_waiting", table_name="bank_lines")
    op.drop_index("ix_bank_lines_statement_id", table_name="bank_lines")
    op.drop_table("bank_lines")
    op.drop_table("bank_statements")
