"""Bank statements among the files that people upload, and what a statement's file held."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

JSON = postgresql.JSONB(astext_type=sa.Text())
INVOICES = sa.text("'invoices'")


def upgrade() -> None:
    """New columns: constant defaults, or none."""
    op.add_column("import_uploads", sa.Column("kind", sa.Text(), server_default=INVOICES, nullable=False))
    op.add_column("import_mappings", sa.Column("kind", sa.Text(), server_default=INVOICES, nullable=False))
    op.add_column("bank_statements", sa.Column("name", sa.Text(), nullable=True))
    op.add_column("bank_statements", sa.Column("held", JSON, nullable=True))


def downgrade() -> None:
    """Take them back; files of statements that wait would be taken for invoices, so they go."""
    op.execute("DELETE FROM import_uploads WHERE kind <> 'invoices'")
    op.execute("DELETE FROM import_mappings WHERE kind <> 'invoices'")
    op.drop_column("bank_statements", "held")
    op.drop_column("bank_statements", "name")
    op.drop_column("import_mappings", "kind")
    op.drop_column("import_uploads", "kind")
