"""Signing in that holds: proofs, second factors, known devices, and how often anybody may try."""

from datetime import datetime

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def _now(name: str) -> sa.Column[datetime]:
    return sa.Column(name, INSTANT, server_default=sa.text("now()"), nullable=False)


def _operator(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f(f"fk_{table}_operator_id"))


def upgrade() -> None:
    """Sessions that run on were proven when this was applied; four new tables."""
    op.add_column("sessions", _now("proven_at"))
    op.add_column("sessions", sa.Column("user_agent", sa.Text(), nullable=True))
    op.add_column("sessions", sa.Column("network", sa.Text(), nullable=True))
    op.create_table(
        "totp_factors",
        sa.Column("operator_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("last_step", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        _now("since"),
        _operator("totp_factors"),
        sa.PrimaryKeyConstraint("operator_id", name=op.f("pk_totp_factors")),
    )
    op.create_table(
        "recovery_codes",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("code_hash", sa.LargeBinary(), nullable=False),
        _now("made_at"),
        sa.Column("used_at", INSTANT, nullable=True),
        _operator("recovery_codes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_codes")),
        sa.UniqueConstraint("operator_id", "code_hash", name=op.f("uq_recovery_codes_operator_id_code_hash")),
    )
    op.create_table(
        "known_devices",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("token_hash", sa.LargeBinary(), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        _now("since"),
        _now("seen_at"),
        sa.Column("ends_at", INSTANT, nullable=False),
        _operator("known_devices"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_known_devices")),
        sa.UniqueConstraint("token_hash", "operator_id", name=op.f("uq_known_devices_token_hash_operator_id")),
    )
    op.create_index("ix_known_devices_operator_id", "known_devices", ["operator_id", "seen_at"], unique=False)
    op.create_table(
        "sign_in_limits",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("window_from", INSTANT, nullable=True),
        sa.Column("window_count", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("tries", postgresql.ARRAY(INSTANT), server_default=sa.text("'{}'::timestamptz[]"), nullable=False),
        sa.Column("counted_at", INSTANT, nullable=True),
        sa.Column("refused", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("told", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("told_at", INSTANT, nullable=True),
        _now("seen_at"),
        sa.PrimaryKeyConstraint("scope", "key", name=op.f("pk_sign_in_limits")),
    )
    op.create_index("ix_sign_in_limits_seen_at", "sign_in_limits", ["seen_at"], unique=False)


def downgrade() -> None:
    """Take them back: second factors are lost, and everybody signs in by password alone."""
    for table in ("sign_in_limits", "known_devices", "recovery_codes", "totp_factors"):
        op.drop_table(table)
    for column in ("network", "user_agent", "proven_at"):
        op.drop_column("sessions", column)
