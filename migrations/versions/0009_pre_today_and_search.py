"""Sums of what is owed, kept with each change, and what lists and searches of invoices look in

`pre` runs before the new code starts, `post` after the old code has gone. Indexes on tables that may be large are
built beside the work, and the index of invoices is filled in batches; killed midway, the migration starts again and
goes on with what it made.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BATCH = 20_000

GRAMS = """
CREATE OR REPLACE FUNCTION search_grams(given text) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
  found text[];
BEGIN
  FOR n IN 1 .. length(given) - 2 LOOP
    found := found || substr(given, n, 3);
  END LOOP;
  RETURN found;
END $$
"""
"""Every three neighbouring signs of a text: what holds a text holds all its threes, which an index finds."""

TOTALS_OF_ADDED = """
CREATE OR REPLACE FUNCTION add_open_invoices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO open_invoice_totals (currency, due_on, invoices, amount)
  SELECT currency, due_on, count(*), sum(amount_remaining) FROM added WHERE status = 'open' GROUP BY 1, 2;
  RETURN NULL;
END $$
"""
TOTALS_OF_GONE = """
CREATE OR REPLACE FUNCTION take_open_invoices() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO open_invoice_totals (currency, due_on, invoices, amount)
  SELECT currency, due_on, -count(*), -sum(amount_remaining) FROM gone WHERE status = 'open' GROUP BY 1, 2;
  RETURN NULL;
END $$
"""
TOTALS_OF_CHANGED = """
CREATE OR REPLACE FUNCTION move_open_invoice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.status = 'open' THEN
    INSERT INTO open_invoice_totals (currency, due_on, invoices, amount)
    VALUES (OLD.currency, OLD.due_on, -1, -OLD.amount_remaining);
  END IF;
  IF NEW.status = 'open' THEN
    INSERT INTO open_invoice_totals (currency, due_on, invoices, amount)
    VALUES (NEW.currency, NEW.due_on, 1, NEW.amount_remaining);
  END IF;
  RETURN NULL;
END $$
"""
WORDS = """
CREATE OR REPLACE FUNCTION invoice_words(number text, external_id text, client text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN to_tsvector('simple'::regconfig, regexp_replace(
         lower(concat_ws(' ', number, external_id, client,
                         regexp_replace(number, '(^|[^0-9])0+([1-9])', ' \\2', 'g'))),
         '[^[:alnum:]]+', ' ', 'g'))
"""
"""The parts of the number, also without leading zeros: 42 finds 2026-0042."""

INDEXED = """
      INSERT INTO invoice_index (invoice_id, client_id, status, money_state, currency, due_on, amount_remaining,
                                 amount_due, number, words)
      SELECT i.id, i.client_id, i.status, i.money_state, i.currency, i.due_on, i.amount_remaining, i.amount_due,
             lower(i.number), invoice_words(i.number, i.external_id, c.name)
        FROM {invoices} i JOIN clients c ON c.id = i.client_id
"""
"""The one place that says what is kept of an invoice."""
INDEX_OF_ADDED = f"""
CREATE OR REPLACE FUNCTION add_to_invoice_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
{INDEXED.format(invoices="added")} ON CONFLICT (invoice_id) DO NOTHING;
  RETURN NULL;
END $$
"""
INDEX_OF_GONE = """
CREATE OR REPLACE FUNCTION take_from_invoice_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM invoice_index USING gone WHERE invoice_id = gone.id;
  RETURN NULL;
END $$
"""
INDEX_OF_CHANGED = f"""
CREATE OR REPLACE FUNCTION change_invoice_index() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  said tsvector;
BEGIN
  IF (OLD.number, OLD.external_id, OLD.client_id) IS DISTINCT FROM (NEW.number, NEW.external_id, NEW.client_id) THEN
    SELECT invoice_words(NEW.number, NEW.external_id, c.name) INTO said FROM clients c WHERE c.id = NEW.client_id;
  END IF;
  UPDATE invoice_index
     SET client_id = NEW.client_id, status = NEW.status, money_state = NEW.money_state, currency = NEW.currency,
         due_on = NEW.due_on, amount_remaining = NEW.amount_remaining, amount_due = NEW.amount_due,
         number = lower(NEW.number), words = coalesce(said, words)
   WHERE invoice_id = NEW.id;
  IF NOT FOUND THEN
{INDEXED.format(invoices="invoices")} WHERE i.id = NEW.id
    ON CONFLICT (invoice_id) DO UPDATE
   SET client_id = excluded.client_id, status = excluded.status, money_state = excluded.money_state,
       currency = excluded.currency, due_on = excluded.due_on, amount_remaining = excluded.amount_remaining,
       amount_due = excluded.amount_due, number = excluded.number, words = excluded.words;
  END IF;
  RETURN NULL;
END $$
"""
"""What is not there yet is being filled in this moment: the insert waits for the fill and has the last word."""
INDEX_OF_RENAMED = f"""
CREATE OR REPLACE FUNCTION rename_in_invoice_index() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
{INDEXED.format(invoices="invoices")} WHERE i.client_id = NEW.id ORDER BY i.id
    ON CONFLICT (invoice_id) DO UPDATE SET words = excluded.words;
  RETURN NULL;
END $$
"""
FILL = f"""
{INDEXED.format(invoices="invoices")} WHERE i.id > :after AND i.id <= :until ON CONFLICT (invoice_id) DO NOTHING
"""
FUNCTIONS = {
    "add_open_invoices": TOTALS_OF_ADDED,
    "take_open_invoices": TOTALS_OF_GONE,
    "move_open_invoice": TOTALS_OF_CHANGED,
    "add_to_invoice_index": INDEX_OF_ADDED,
    "take_from_invoice_index": INDEX_OF_GONE,
    "change_invoice_index": INDEX_OF_CHANGED,
    "rename_in_invoice_index": INDEX_OF_RENAMED,
}
KEPT = "number, external_id, client_id, status, money_state, currency, due_on, amount_remaining, amount_due"
OLD_KEPT, NEW_KEPT = (", ".join(f"{row}.{name}" for name in KEPT.split(", ")) for row in ("OLD", "NEW"))
TRIGGERS = {
    "totals_of_added": "AFTER INSERT ON invoices REFERENCING NEW TABLE AS added FOR EACH STATEMENT"
    " EXECUTE FUNCTION add_open_invoices()",
    "totals_of_gone": "AFTER DELETE ON invoices REFERENCING OLD TABLE AS gone FOR EACH STATEMENT"
    " EXECUTE FUNCTION take_open_invoices()",
    "totals_of_changed": "AFTER UPDATE OF amount_remaining, status, due_on, currency ON invoices FOR EACH ROW"
    " WHEN ((OLD.status = 'open' OR NEW.status = 'open') AND"
    " (OLD.amount_remaining, OLD.status, OLD.due_on, OLD.currency)"
    " IS DISTINCT FROM (NEW.amount_remaining, NEW.status, NEW.due_on, NEW.currency))"
    " EXECUTE FUNCTION move_open_invoice()",
    "index_of_added": "AFTER INSERT ON invoices REFERENCING NEW TABLE AS added FOR EACH STATEMENT"
    " EXECUTE FUNCTION add_to_invoice_index()",
    "index_of_gone": "AFTER DELETE ON invoices REFERENCING OLD TABLE AS gone FOR EACH STATEMENT"
    " EXECUTE FUNCTION take_from_invoice_index()",
    "index_of_changed": f"AFTER UPDATE OF {KEPT} ON invoices FOR EACH ROW"
    f" WHEN (({OLD_KEPT}) IS DISTINCT FROM ({NEW_KEPT})) EXECUTE FUNCTION change_invoice_index()",
    "index_of_renamed": "AFTER UPDATE OF name ON clients FOR EACH ROW"
    " WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION rename_in_invoice_index()",
}
"""None of them fires for the engine's own column, `next_at`: planning writes it for every invoice that is due."""

INDEXES = {
    "ix_reminders_held": "reminders (held_reason, invoice_id) WHERE state = 'planned' AND held_reason IS NOT NULL",
    "ix_notices_open": "notices (kind, created_at, id) WHERE resolved_at IS NULL",
    "ix_money_facts_came_in": "money_facts (occurred_at, id) INCLUDE (currency, amount) WHERE"
    " kind IN ('payment', 'manual') AND voided_at IS NULL AND problem IS NULL AND provider <> 'import'",
    "ix_letters_sending_at_state": "letters (sending_at) INCLUDE (state)",
    "ix_clients_name_low": "clients (lower(name) text_pattern_ops)",
    "ix_clients_name_grams": "clients USING gin (search_grams(lower(name)))",
    "ix_contacts_email_low": "contacts (lower(email) text_pattern_ops)",
    "ix_clients_name": "clients (lower(name), id)",
    "ix_contacts_grams": "contacts USING gin (search_grams(lower((name || ' '::text) || email)))",
    "ix_invoice_index_due": "invoice_index (status, due_on, invoice_id)",
    "ix_invoice_index_currency_due": "invoice_index (status, currency, due_on, invoice_id)",
    "ix_invoice_index_remaining": "invoice_index (currency, amount_remaining, invoice_id) WHERE status = 'open'",
    "ix_invoice_index_money_state": "invoice_index (money_state, due_on, invoice_id)"
    " WHERE money_state NOT IN ('unpaid', 'paid')",
    "ix_invoice_index_client_due": "invoice_index (client_id, status, due_on, invoice_id)",
    "ix_invoice_index_amount": "invoice_index (amount_due, invoice_id)",
    "ix_invoice_index_number": "invoice_index (number, invoice_id)",
    "ix_invoice_index_grams": "invoice_index USING gin (search_grams(number))",
    "ix_invoice_index_words": "invoice_index USING gin (words)",
}


def upgrade() -> None:
    """Tables and triggers with the sums in one transaction; then what may take long, beside the work."""
    op.execute(GRAMS)
    op.execute(WORDS)
    if not sa.inspect(op.get_bind()).has_table("invoice_index"):
        _create_tables()
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = '1h'")
        op.execute("SET lock_timeout = '1h'")
        _fill_index()
        for name, definition in INDEXES.items():
            _create_beside_work(name, definition)
        op.execute("DROP INDEX CONCURRENTLY IF EXISTS ix_letters_sending_at")
        op.execute("SET statement_timeout = '5s'")
        op.execute("SET lock_timeout = '750ms'")


def _create_tables() -> None:
    op.create_table(
        "open_invoice_totals",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=True), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("invoices", sa.BigInteger(), nullable=False),
        sa.Column("amount", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_open_invoice_totals")),
    )
    op.create_table(
        "invoice_index",
        sa.Column("invoice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("client_id", sa.BigInteger(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("money_state", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("due_on", sa.Date(), nullable=False),
        sa.Column("amount_remaining", sa.BigInteger(), nullable=False),
        sa.Column("amount_due", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Text(collation="C"), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_invoice_index")),
    )
    for definition in FUNCTIONS.values():
        op.execute(definition)
    for name, definition in TRIGGERS.items():
        op.execute(f"CREATE TRIGGER {name} {definition}")
    op.execute(
        "INSERT INTO open_invoice_totals (currency, due_on, invoices, amount)"
        " SELECT currency, due_on, count(*), sum(amount_remaining) FROM invoices WHERE status = 'open'"
        " GROUP BY currency, due_on"
    )


def _fill_index() -> None:
    """Invoices from before the triggers, in short statements."""
    last = op.get_bind().scalar(sa.text("SELECT max(id) FROM invoices")) or 0
    for after in range(0, last, BATCH):
        op.get_bind().execute(sa.text(FILL), {"after": after, "until": after + BATCH})


def _create_beside_work(name: str, definition: str) -> None:
    """A valid one of an earlier try stays; an invalid one is made anew."""
    is_valid = sa.text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    found = op.get_bind().scalar(is_valid, {"name": name})
    if found is False:
        op.execute(f"DROP INDEX CONCURRENTLY {name}")
    if not found:
        op.execute(f"CREATE INDEX CONCURRENTLY {name} ON {definition}")
    if not op.get_bind().scalar(is_valid, {"name": name}):
        raise RuntimeError(f"the index {name} is not valid: run the migration again")


def downgrade() -> None:
    """Take everything back; no fact is lost, for all of it follows from the invoices."""
    op.create_index("ix_letters_sending_at", "letters", ["sending_at"], unique=False)
    for name, definition in TRIGGERS.items():
        op.execute(f"DROP TRIGGER {name} ON {'clients' if ' ON clients ' in definition else 'invoices'}")
    for name in FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}()")
    for name in INDEXES:
        op.execute(f"DROP INDEX IF EXISTS {name}")
    op.drop_table("invoice_index")
    op.drop_table("open_invoice_totals")
    op.execute("DROP FUNCTION invoice_words(text, text, text)")
    op.execute("DROP FUNCTION search_grams(text)")
