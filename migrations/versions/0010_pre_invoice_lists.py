"""Lists of invoices at any size: indexes for what they filter and sort by, words to search, views of one's own

Indexes are built while everybody works (CONCURRENTLY), outside a transaction; so each part may be repeated, and a
migration that was stopped midway goes on where it stopped.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
BATCH = 20_000
INDEXES = {
    "ix_invoices_due": "invoices (status, due_on, id)",
    "ix_invoices_currency_due": "invoices (status, currency, due_on, id)",
    "ix_invoices_amount": "invoices (currency, amount_remaining, id) WHERE status = 'open'",
    "ix_invoices_money_state": "invoices (money_state, due_on, id) WHERE money_state NOT IN ('unpaid', 'paid')",
    "ix_invoices_client_due": "invoices (client_id, status, due_on, id)",
    "ix_clients_name": "clients (lower(name), id)",
    "ix_reminders_held_of_invoice": "reminders (invoice_id, held_reason)"
    " WHERE state = 'planned' AND held_reason IS NOT NULL",
    "ix_invoice_search_words": "invoice_search USING gin (words)",
}

WORDS = """
CREATE OR REPLACE FUNCTION invoice_words(number text, external_id text, client text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector('simple'::regconfig, regexp_replace(
         lower(concat_ws(' ', number, external_id, client,
                         regexp_replace(number, '(^|[^0-9])0+([1-9])', ' \\2', 'g'))),
         '[^[:alnum:]]+', ' ', 'g'))
"""
"""The parts of the number, also without leading zeros: 42 finds 2026-0042."""

INSERTED = """
CREATE OR REPLACE FUNCTION note_words_of_new_invoices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO invoice_search (invoice_id, words)
  SELECT n.id, invoice_words(n.number, n.external_id, c.name) FROM made n JOIN clients c ON c.id = n.client_id
  ON CONFLICT (invoice_id) DO NOTHING;
  RETURN NULL;
END $$
"""

CHANGED = """
CREATE OR REPLACE FUNCTION note_words_of_an_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE invoice_search SET words = invoice_words(NEW.number, NEW.external_id, c.name)
    FROM clients c WHERE c.id = NEW.client_id AND invoice_id = NEW.id;
  RETURN NULL;
END $$
"""

RENAMED = """
CREATE OR REPLACE FUNCTION note_words_of_a_client() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE invoice_search SET words = invoice_words(i.number, i.external_id, NEW.name)
    FROM invoices i WHERE i.client_id = NEW.id AND invoice_id = i.id;
  RETURN NULL;
END $$
"""

TRIGGERS = (
    "CREATE OR REPLACE TRIGGER words_of_new_invoices AFTER INSERT ON invoices"
    " REFERENCING NEW TABLE AS made FOR EACH STATEMENT EXECUTE FUNCTION note_words_of_new_invoices()",
    "CREATE OR REPLACE TRIGGER words_of_an_invoice AFTER UPDATE OF number, external_id, client_id ON invoices"
    " FOR EACH ROW EXECUTE FUNCTION note_words_of_an_invoice()",
    "CREATE OR REPLACE TRIGGER words_of_a_client AFTER UPDATE OF name ON clients"
    " FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION note_words_of_a_client()",
)

FILL = """
INSERT INTO invoice_search (invoice_id, words)
SELECT i.id, invoice_words(i.number, i.external_id, c.name) FROM invoices i JOIN clients c ON c.id = i.client_id
 WHERE i.id > :after AND i.id <= :until
    ON CONFLICT (invoice_id) DO NOTHING
"""


def upgrade() -> None:
    """Two new tables, the triggers that keep one of them, then everything that takes long."""
    op.create_table(
        "saved_views",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("operator_id", sa.BigInteger(), nullable=False),
        sa.Column("page", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column("created_at", INSTANT, server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["operator_id"], ["operators.id"], name=op.f("fk_saved_views_operator_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_saved_views")),
        sa.UniqueConstraint("operator_id", "page", "name", name=op.f("uq_saved_views_operator_id_page_name")),
        if_not_exists=True,
    )
    op.create_table(
        "invoice_search",
        sa.Column("invoice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.ForeignKeyConstraint(
            ["invoice_id"], ["invoices.id"], name=op.f("fk_invoice_search_invoice_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_invoice_search")),
        if_not_exists=True,
    )
    for statement in (WORDS, INSERTED, CHANGED, RENAMED, *TRIGGERS):
        op.execute(statement)
    with op.get_context().autocommit_block():
        _fill_search()
        _unhurried()
        for name, definition in INDEXES.items():
            _drop_if_unfinished(name)
            op.execute(f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON {definition}")
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_invoices_client_id_status")
        _hurried()


def downgrade() -> None:
    """Take them back."""
    with op.get_context().autocommit_block():
        _unhurried()
        _drop_if_unfinished("ix_invoices_client_id_status")
        op.execute(
            "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_invoices_client_id_status ON invoices (client_id, status)"
        )
        for name in INDEXES:
            op.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        _hurried()
    op.execute("DROP TRIGGER IF EXISTS words_of_a_client ON clients")
    op.execute("DROP TRIGGER IF EXISTS words_of_an_invoice ON invoices")
    op.execute("DROP TRIGGER IF EXISTS words_of_new_invoices ON invoices")
    for name in ("note_words_of_a_client", "note_words_of_an_invoice", "note_words_of_new_invoices"):
        op.execute(f"DROP FUNCTION IF EXISTS {name}()")
    op.drop_table("invoice_search", if_exists=True)
    op.execute("DROP FUNCTION IF EXISTS invoice_words(text, text, text)")
    op.drop_table("saved_views", if_exists=True)


def _fill_search() -> None:
    """Invoices from before the trigger, in short statements."""
    last = op.get_bind().scalar(sa.text("SELECT coalesce(max(id), 0) FROM invoices"))
    for after in range(0, last, BATCH):
        op.get_bind().execute(sa.text(FILL), {"after": after, "until": after + BATCH})


def _drop_if_unfinished(name: str) -> None:
    """An index that was being built when its migration was stopped is of no use and in the way."""
    query = sa.text("SELECT EXISTS (SELECT FROM pg_index WHERE indexrelid = to_regclass(:name) AND NOT indisvalid)")
    if op.get_bind().scalar(query, {"name": name}):
        op.execute(f"DROP INDEX CONCURRENTLY {name}")


def _unhurried() -> None:
    """What is done beside everybody's work may take its time; it keeps nobody waiting."""
    op.execute("SELECT set_config('nudgepay.statement_timeout', current_setting('statement_timeout'), false)")
    op.execute("SELECT set_config('nudgepay.lock_timeout', current_setting('lock_timeout'), false)")
    op.execute("SET statement_timeout = 0")
    op.execute("SET lock_timeout = 0")


def _hurried() -> None:
    op.execute("SELECT set_config('statement_timeout', current_setting('nudgepay.statement_timeout'), false)")
    op.execute("SELECT set_config('lock_timeout', current_setting('nudgepay.lock_timeout'), false)")
