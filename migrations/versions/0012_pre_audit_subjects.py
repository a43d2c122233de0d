"""What happened to one thing is found without reading everything that ever happened."""

from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Two indexes."""
    op.create_index("ix_audit_events_subject", "audit_events", ["subject", "id"], unique=False)
    op.create_index("ix_reviews_invoice_id", "reviews", ["invoice_id"], unique=False)


def downgrade() -> None:
    """Take them back."""
    op.drop_index("ix_reviews_invoice_id", table_name="reviews")
    op.drop_index("ix_audit_events_subject", table_name="audit_events")
