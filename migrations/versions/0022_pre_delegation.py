"""Tokens of programs, acts that take a second person, invitations, and the mark of a restored database."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
NOW = sa.text("now()")
OPEN = sa.text("state IN ('waiting', 'approved')")


def _id() -> sa.Column[int]:
    return sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False)


def _to_operator(table: str, column: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint([column], ["operators.id"], name=op.f(f"fk_{table}_{column}"))


def upgrade() -> None:
    """Three new tables and an empty column."""
    op.create_table(
        "service_tokens",
        _id(),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("pepper_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", JSONB(), nullable=False),
        sa.Column("created_by", sa.BigInteger(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("last_used_at", INSTANT, nullable=True),
        sa.Column("revoked_at", INSTANT, nullable=True),
        sa.Column("revoked_by", sa.Text(), nullable=True),
        sa.CheckConstraint(
            "expires_at <= created_at + interval '366 days'", name=op.f("ck_service_tokens_expires_at")
        ),
        sa.CheckConstraint("jsonb_array_length(scopes) > 0", name=op.f("ck_service_tokens_scopes")),
        _to_operator("service_tokens", "created_by"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_service_tokens")),
        sa.UniqueConstraint("prefix", name=op.f("uq_service_tokens_prefix")),
    )
    op.create_index("ix_service_tokens_created_by", "service_tokens", ["created_by"])
    op.create_table(
        "approvals",
        _id(),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("params", JSONB(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("asked_by", sa.BigInteger(), nullable=False),
        sa.Column("asked_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=True),
        sa.Column("alone", sa.Boolean(), nullable=False),
        sa.Column("ready_at", INSTANT, nullable=True),
        sa.Column("decided_by", sa.BigInteger(), nullable=True),
        sa.Column("decided_at", INSTANT, nullable=True),
        sa.Column("decision_reason", sa.Text(), nullable=True),
        sa.Column("used_at", INSTANT, nullable=True),
        sa.Column("used_by", sa.Text(), nullable=True),
        sa.Column("uses", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.CheckConstraint("kind IN ('single', 'policy')", name=op.f("ck_approvals_kind")),
        sa.CheckConstraint(
            "state IN ('waiting', 'approved', 'declined', 'withdrawn', 'used', 'revoked', 'expired')",
            name=op.f("ck_approvals_state"),
        ),
        sa.CheckConstraint("decided_by <> asked_by", name=op.f("ck_approvals_second_person")),
        sa.CheckConstraint(
            "state NOT IN ('approved', 'declined') OR decided_by IS NOT NULL", name=op.f("ck_approvals_decided")
        ),
        sa.CheckConstraint("state <> 'used' OR decided_by IS NOT NULL OR alone", name=op.f("ck_approvals_used")),
        sa.CheckConstraint("alone = (ready_at IS NOT NULL)", name=op.f("ck_approvals_alone")),
        _to_operator("approvals", "asked_by"),
        _to_operator("approvals", "decided_by"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_approvals")),
    )
    op.create_index(
        "uq_approvals_open",
        "approvals",
        ["kind", "act", "digest", "asked_by"],
        unique=True,
        postgresql_where=OPEN,
    )
    op.create_index("ix_approvals_expires_at", "approvals", ["expires_at"], postgresql_where=OPEN)
    op.create_index("ix_approvals_asked_by", "approvals", ["asked_by", "id"])
    op.create_table(
        "invitations",
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.Column("created_at", INSTANT, server_default=NOW, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        _to_operator("invitations", "operator_id"),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_invitations")),
        sa.UniqueConstraint("token_hash", name=op.f("uq_invitations_token_hash")),
    )
    op.add_column("sending_switch", sa.Column("restored_at", INSTANT, nullable=True))


def downgrade() -> None:
    """Take them back."""
    op.drop_column("sending_switch", "restored_at")
    op.drop_table("invitations")
    op.drop_table("approvals")
    op.drop_table("service_tokens")
