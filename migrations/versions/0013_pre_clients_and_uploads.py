"""Clients and contacts that people edit, and files that wait to be imported."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
JSON = postgresql.JSONB(astext_type=sa.Text())


def upgrade() -> None:
    """New columns with constant defaults, indexes, one new table."""
    op.add_column("clients", sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.add_column("contacts", sa.Column("version", sa.BigInteger(), server_default=sa.text("1"), nullable=False))
    op.add_column("contacts", sa.Column("removed_at", INSTANT, nullable=True))
    op.add_column("suppressions", sa.Column("lift_reason", sa.Text(), nullable=True))
    op.create_index(
        "ix_contacts_wrong_person",
        "contacts",
        ["client_id"],
        postgresql_where=sa.text("wrong_person_at IS NOT NULL"),
    )
    for name, where in (
        ("off", "reminders_off_at IS NOT NULL"),
        ("paused", "paused_until IS NOT NULL"),
        ("autopay", "autopay"),
    ):
        op.create_index(
            f"ix_clients_{name}", "clients", [sa.text("lower(name)"), "id"], postgresql_where=sa.text(where)
        )
    op.create_table(
        "import_uploads",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("choices", JSON, server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.Column("state", sa.Text(), server_default=sa.text("'choosing'"), nullable=False),
        sa.Column("report", JSON, nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("rows_done", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("attempts", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("first_invoice_id", sa.BigInteger(), nullable=True),
        sa.Column("last_invoice_id", sa.BigInteger(), nullable=True),
        sa.Column("written_at", INSTANT, nullable=True),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("updated_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.CheckConstraint(
            "state IN ('choosing', 'checking', 'checked', 'importing', 'done', 'failed', 'discarded')",
            name=op.f("ck_import_uploads_state"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_import_uploads")),
    )
    op.create_index(
        "ix_import_uploads_waiting",
        "import_uploads",
        ["id"],
        postgresql_where=sa.text("state IN ('checking', 'importing')"),
    )


def downgrade() -> None:
    """Take them back."""
    op.drop_table("import_uploads")
    for name in ("autopay", "paused", "off"):
        op.drop_index(f"ix_clients_{name}", table_name="clients")
    op.drop_index("ix_contacts_wrong_person", table_name="contacts")
    op.drop_column("suppressions", "lift_reason")
    op.drop_column("contacts", "removed_at")
    op.drop_column("contacts", "version")
    op.drop_column("clients", "version")
