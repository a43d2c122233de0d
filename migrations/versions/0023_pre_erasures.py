"""Erasures, the key of erased addresses, and the trigger that recognises such an address when it comes back."""

import secrets

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

HASH = """
CREATE FUNCTION erased_address(address text) RETURNS text LANGUAGE sql STABLE AS $$
  SELECT 'erased:' || encode(
           sha256(k."outer" || sha256(k."inner" || convert_to(lower(btrim(address)), 'UTF8'))), 'hex')
    FROM public.erasure_key k
$$
"""
"""HMAC-SHA256 of the address in the form in which addresses are compared."""
RECOGNISE = """
CREATE FUNCTION recognise_erased_address() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE suppressions s SET address = lower(NEW.email)
   WHERE s.address = erased_address(NEW.email) AND s.lifted_at IS NULL
     AND NOT EXISTS (SELECT FROM suppressions o
                      WHERE o.address = lower(NEW.email) AND o.reason = s.reason AND o.lifted_at IS NULL);
  RETURN NULL;
END $$
"""
TRIGGER = """
CREATE TRIGGER recognise_erased_address AFTER INSERT OR UPDATE OF email ON contacts
FOR EACH ROW EXECUTE FUNCTION recognise_erased_address()
"""


def upgrade() -> None:
    """Two tables, the hash, the trigger; the key is made here, once."""
    op.create_table(
        "erasures",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        *(
            sa.Column(name, postgresql.JSONB(), nullable=False)
            for name in ("client_ids", "contact_ids", "operator_ids")
        ),
        sa.Column("kept_until", sa.Date(), nullable=True),
        sa.Column("counts", postgresql.JSONB(), server_default=sa.text("'{}'::jsonb"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasures")),
    )
    table = op.create_table(
        "erasure_key",
        sa.Column("id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("inner", sa.LargeBinary(), nullable=False),
        sa.Column("outer", sa.LargeBinary(), nullable=False),
        sa.CheckConstraint("id = 1", name=op.f("ck_erasure_key_one_row")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_erasure_key")),
    )
    key = secrets.token_bytes(64)
    inner, outer = bytes(byte ^ 0x36 for byte in key), bytes(byte ^ 0x5C for byte in key)
    op.execute(table.insert().values(id=1, inner=inner, outer=outer))
    op.execute(HASH)
    op.execute(RECOGNISE)
    op.execute(TRIGGER)


def downgrade() -> None:
    """Take them back: erased addresses are not recognised any more."""
    op.execute("DROP TRIGGER recognise_erased_address ON contacts")
    op.execute("DROP FUNCTION recognise_erased_address()")
    op.execute("DROP FUNCTION erased_address(text)")
    op.drop_table("erasure_key")
    op.drop_table("erasures")
