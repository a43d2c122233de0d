"""Operators' own letter texts in versions, which of them a letter was written with, and tests of them

`pre` runs before the new code starts, `post` after the old code has gone.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KINDS = "kind IN ('thanks', 'statement', 'digest', 'copy'{})"


def upgrade() -> None:
    """Two new tables, three columns without a default, one more kind of message."""
    op.create_table(
        "letter_texts",
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), server_default=sa.text("0"), nullable=False),
        sa.PrimaryKeyConstraint("template", "language", name=op.f("pk_letter_texts")),
    )
    op.create_table(
        "letter_text_versions",
        sa.Column("template", sa.Text(), nullable=False),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("restored_from", sa.BigInteger(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.CheckConstraint("(subject IS NULL) = (body IS NULL)", name=op.f("ck_letter_text_versions_whole")),
        sa.ForeignKeyConstraint(
            ["template", "language"],
            ["letter_texts.template", "letter_texts.language"],
            name=op.f("fk_letter_text_versions_template"),
        ),
        sa.PrimaryKeyConstraint("template", "language", "version", name=op.f("pk_letter_text_versions")),
    )
    for column in (
        sa.Column("template", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=True),
        sa.Column("text_version", sa.BigInteger(), nullable=True),
    ):
        op.add_column("letters", column)
    op.execute(
        "ALTER TABLE letters ADD CONSTRAINT fk_letters_template FOREIGN KEY (template, language, text_version)"
        " REFERENCES letter_text_versions (template, language, version) NOT VALID"
    )
    op.execute("ALTER TABLE letters VALIDATE CONSTRAINT fk_letters_template")
    op.drop_constraint(op.f("ck_mailings_kind"), "mailings", type_="check")
    op.create_check_constraint(op.f("ck_mailings_kind"), "mailings", KINDS.format(", 'test'"))


def downgrade() -> None:
    """Take them back; tests of texts go with them."""
    op.execute("DELETE FROM mailings WHERE kind = 'test'")
    op.drop_constraint(op.f("ck_mailings_kind"), "mailings", type_="check")
    op.create_check_constraint(op.f("ck_mailings_kind"), "mailings", KINDS.format(""))
    op.drop_constraint("fk_letters_template", "letters", type_="foreignkey")
    for column in ("text_version", "language", "template"):
        op.drop_column("letters", column)
    op.drop_table("letter_text_versions")
    op.drop_table("letter_texts")
