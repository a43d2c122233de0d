"""Sums of what is owed, kept with each change, and what the search looks in

`pre` runs before the new code starts, `post` after the old code has gone. Indexes on tables that may be large are
built beside the work, and the search is filled in batches; killed midway, the migration starts again and goes on
with what it made.
"""

import sqlalchemy as sa
from alembic import op

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
NUMBERS_OF_ADDED = """
CREATE OR REPLACE FUNCTION add_invoice_numbers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO invoice_numbers (invoice_id, number, amount) SELECT id, lower(number), amount_due FROM added;
  RETURN NULL;
END $$
"""
NUMBERS_OF_GONE = """
CREATE OR REPLACE FUNCTION take_invoice_numbers() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  DELETE FROM invoice_numbers USING gone WHERE invoice_id = gone.id;
  RETURN NULL;
END $$
"""
NUMBERS_OF_CHANGED = """
CREATE OR REPLACE FUNCTION change_invoice_number() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO invoice_numbers (invoice_id, number, amount) VALUES (NEW.id, lower(NEW.number), NEW.amount_due)
  ON CONFLICT (invoice_id) DO UPDATE SET number = excluded.number, amount = excluded.amount;
  RETURN NULL;
END $$
"""
FUNCTIONS = {
    "add_open_invoices": TOTALS_OF_ADDED,
    "take_open_invoices": TOTALS_OF_GONE,
    "move_open_invoice": TOTALS_OF_CHANGED,
    "add_invoice_numbers": NUMBERS_OF_ADDED,
    "take_invoice_numbers": NUMBERS_OF_GONE,
    "change_invoice_number": NUMBERS_OF_CHANGED,
}
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
    "numbers_of_added": "AFTER INSERT ON invoices REFERENCING NEW TABLE AS added FOR EACH STATEMENT"
    " EXECUTE FUNCTION add_invoice_numbers()",
    "numbers_of_gone": "AFTER DELETE ON invoices REFERENCING OLD TABLE AS gone FOR EACH STATEMENT"
    " EXECUTE FUNCTION take_invoice_numbers()",
    "numbers_of_changed": "AFTER UPDATE OF number, amount_due ON invoices FOR EACH ROW"
    " WHEN ((OLD.number, OLD.amount_due) IS DISTINCT FROM (NEW.number, NEW.amount_due))"
    " EXECUTE FUNCTION change_invoice_number()",
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
    "ix_contacts_email_grams": "contacts USING gin (search_grams(lower(email)))",
    "ix_invoice_numbers_number": "invoice_numbers (number text_pattern_ops)",
    "ix_invoice_numbers_grams": "invoice_numbers USING gin (search_grams(number))",
    "ix_invoice_numbers_amount": "invoice_numbers (amount, invoice_id)",
}


def upgrade() -> None:
    """Tables and triggers with the sums in one transaction; then what may take long, beside the work."""
    op.execute(GRAMS)
    if not sa.inspect(op.get_bind()).has_table("invoice_numbers"):
        _create_tables()
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = '1h'")
        op.execute("SET lock_timeout = '1h'")
        _fill_numbers()
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
        "invoice_numbers",
        sa.Column("invoice_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("invoice_id", name=op.f("pk_invoice_numbers")),
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


def _fill_numbers() -> None:
    bind = op.get_bind()
    last = bind.scalar(sa.text("SELECT max(id) FROM invoices")) or 0
    fill = sa.text(
        "INSERT INTO invoice_numbers (invoice_id, number, amount) SELECT id, lower(number), amount_due FROM invoices"
        " WHERE id > :after AND id <= :after + :batch ON CONFLICT DO NOTHING"
    )
    for after in range(0, last, BATCH):
        bind.execute(fill, {"after": after, "batch": BATCH})


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
    for name in TRIGGERS:
        op.execute(f"DROP TRIGGER {name} ON invoices")
    for name in FUNCTIONS:
        op.execute(f"DROP FUNCTION {name}()")
    for name in INDEXES:
        op.execute(f"DROP INDEX IF EXISTS {name}")
    op.drop_table("invoice_numbers")
    op.drop_table("open_invoice_totals")
    op.execute("DROP FUNCTION search_grams(text)")
